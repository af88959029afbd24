#!/bin/bash
# Tells the administrator by mail:  alert.sh SUBJECT <what-happened
# The mail goes through this host's own Postfix, so while that does not run the journal alone has the alert.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/users.bash"

[ $# -eq 1 ] && [ -n "$1" ] || die "usage: alert.sh SUBJECT <what-happened" 2
[[ $1 != *[[:cntrl:]]* ]] || die "the subject has control characters in it" 2
domain=$(site_value MAIL_DOMAIN)
admin=$(site_value ADMIN_EMAIL)
[ -n "$admin" ] || die "ADMIN_EMAIL in .env is empty: nobody is told" 2

# The sender is of the site's own domain: the smarthost takes no other (F59). Postfix adds date and Message-ID.
{
    printf 'From: Mail server <mailserver@%s>\nTo: <%s>\n' "$domain" "$admin"
    printf 'Subject: [%s] %s\nAuto-Submitted: auto-generated\n' "$(site_value MAIL_FQDN)" "$1"
    printf 'MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n'
    cat
} | docker exec -i mailserver-postfix sendmail -i -f "mailserver@$domain" -- "$admin"
echo "told $admin: $1"
