#!/bin/bash
# Accepts mail for one more domain on this server:  add-domain.sh DOMAIN
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/users.bash"

[ $# -eq 1 ] || die "usage: add-domain.sh DOMAIN" 2
domain=$1
[[ ${#domain} -le 253 && $domain =~ ^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$ ]] ||
    die "'$domain' is no domain name (lower-case letters, digits, - and dots)" 2
[ "$domain" != "$(site_value MAIL_DOMAIN)" ] || die "$domain is already the primary domain" 3
additional=$(site_value MAIL_ADDITIONAL_DOMAINS)
for present in $additional; do
    [ "$present" != "$domain" ] || die "$domain is already one of this site's domains" 3
done

new=$(mktemp "$ROOT/.env.XXXXXX")
trap 'rm -f "$new"' EXIT
line="MAIL_ADDITIONAL_DOMAINS='${additional:+$additional }$domain'"
awk -v line="$line" '/^MAIL_ADDITIONAL_DOMAINS=/ { print line; found = 1; next } { print } END { if (!found) print line }' \
    "$ROOT/.env" >"$new"
chmod 600 "$new"
mv -f "$new" "$ROOT/.env"
trap - EXIT

docker compose --project-directory "$ROOT" up -d --wait postfix
cat <<TEXT
This server now accepts mail for $domain. What is still to do, in this order:
  1. site.toml: add $domain to the domains, then apply Terraform: the gateway learns the domain.
  2. SendGrid: authenticate $domain; publish its three CNAME records, SPF and DMARC.
  3. DNS: point the MX record of $domain to the gateway.
  4. add-user.sh somebody@$domain
TEXT
