#!/bin/bash
# Takes a domain out of service on this server; the mail of its former users stays on the disk.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/users.bash"

USAGE="usage: remove-domain.sh [--dry-run] DOMAIN"

if [ "${1-}" = --help ]; then
    cat <<TEXT
$USAGE

Has this server accept no more mail for DOMAIN. Before that:
  1. DNS: point the MX record of DOMAIN elsewhere, and wait until its TTL has passed.
  2. remove-user.sh each user of the domain; as long as there is one, the domain stays.
Postfix gets a new container, which takes some seconds; senders try again by themselves. Mail that users send to
the domain leaves by the smarthost from then on, like any other.

  --dry-run  check the name, change nothing

Exit status: 0 done; 2 a wrong call; 3 nothing was removed: it is the primary domain, has users, or is no domain of
this site; 1 something else failed. Run again after an interruption it completes what was begun.
TEXT
    exit 0
fi
dry_run=''
if [ "${1-}" = --dry-run ]; then
    dry_run=yes
    shift
fi
[ $# -eq 1 ] || die "$USAGE" 2
domain=$1
check_domain "$domain"
[ "$domain" != "$(site_value MAIL_DOMAIN)" ] || die "$domain is the primary domain, of which this server itself is a part" 3
lock_site
left=''
[ ! -e "$USERS" ] || left=$(sed -n "s/^\([^:#]*@${domain//./\\.}\):.*/\1/p" "$USERS" | tr '\n' ' ')
[ -z "$left" ] || die "$domain still has users, whose mail would be refused: ${left% }; remove-user.sh them first" 3
known=''
rest=''
for present in $(site_value MAIL_ADDITIONAL_DOMAINS); do
    if [ "$present" = "$domain" ]; then known=yes; else rest="${rest:+$rest }$present"; fi
done
[ -z "$known" ] || would "$dry_run" "accept no more mail for $domain, and give Postfix a new container"
[ -z "$dry_run" ] || die "$domain is none of this site's domains" 3
[ -z "$known" ] || set_additional_domains "$rest"
tell_postfix
[ -n "$known" ] || die "$domain is none of this site's domains" 3
[ ! -e "$ROOT/data/mail/$domain" ] || echo "The mail of its former users is kept in data/mail/$domain."
cat <<TEXT
This server takes no more mail for $domain. What is still to do:
  1. site.toml: take $domain out of the domains, or the next deployment brings it back; then apply Terraform.
  2. SendGrid: remove the authentication of $domain, then its records from the DNS.
TEXT
