#!/bin/bash
# Accepts mail for one more domain on this server.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/users.bash"

USAGE="usage: add-domain.sh [--dry-run] DOMAIN"

if [ "${1-}" = --help ]; then
    cat <<TEXT
$USAGE

Has this server accept mail for DOMAIN, and says what is to be done elsewhere before senders may learn of it.
Postfix gets a new container, which takes some seconds; senders try again by themselves.

  --dry-run  check the name, change nothing

Exit status: 0 done; 2 a wrong call; 3 the domain is there already; 1 something else failed. Run again after an
interruption it completes what was begun.
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
lock_site
known=yes
of_this_site "$domain" || known=''
[ -n "$known" ] || would "$dry_run" "accept mail for $domain, and give Postfix a new container"
[ -z "$dry_run" ] || die "$domain is already one of this site's domains" 3
additional=$(site_value MAIL_ADDITIONAL_DOMAINS)
[ -n "$known" ] || set_additional_domains "${additional:+$additional }$domain"
tell_postfix
[ -z "$known" ] || die "$domain is already one of this site's domains" 3
# The MX record comes last: until everything before it is done, mail for the domain would be refused for good.
cat <<TEXT
This server now accepts mail for $domain. What is still to do, in this order:
  1. site.toml: add $domain to the domains, or the next deployment takes it away again.
  2. Apply Terraform: the gateway learns the domain.
  3. add-user.sh somebody@$domain, and dmarc@$domain, where the reports go.
  4. SendGrid: authenticate $domain there; it names three CNAME records.
  5. DNS: publish the records of infra/dns/mail-domain.zone for $domain, the MX record last.
TEXT
