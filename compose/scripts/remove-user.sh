#!/bin/bash
# Takes the mailbox of somebody out of service; his mail stays on the disk.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/users.bash"

USAGE="usage: remove-user.sh [--dry-run] ADDRESS"

if [ "${1-}" = --help ]; then
    cat <<TEXT
$USAGE

From now on nobody can log in as ADDRESS, and mail for it is refused while the sender waits. The stored mail is
kept; delete its folder by hand when nobody needs it any more, and before somebody else gets the same address.

  --dry-run  check the address, change nothing

Exit status: 0 done; 2 a wrong call; 3 there is no such user; 1 something else failed.
TEXT
    exit 0
fi
dry_run=''
if [ "${1-}" = --dry-run ]; then
    dry_run=yes
    shift
fi
[ $# -eq 1 ] || die "$USAGE" 2
address=$1
check_spelling "$address"
lock_site
known=yes
has_user "$address" || known=''
[ -z "$known" ] || would "$dry_run" "take $address out of service"
[ -z "$dry_run" ] || die "$address does not exist" 3
[ -z "$known" ] || rewrite_without "$address"
# As long as Dovecot still knows him, mail for him would be taken and then bounce.
late=''
dovecot_knows "$address" no || late=yes
# Sessions that are open already end now. Also for somebody who is gone: an earlier run may have been interrupted.
docker exec mailserver-dovecot doveadm kick "$address" >/dev/null 2>&1 || true
# Postfix remembers for ten seconds who exists. What it took within them would bounce, to a sender who may be forged.
docker exec mailserver-postfix postfix reload >/dev/null 2>&1 || true
[ -z "$late" ] || die "$address is removed, but Dovecot still knows him after ten seconds: docker logs mailserver-dovecot"
[ -n "$known" ] || die "$address does not exist" 3
echo "$address is removed; the mail is kept in data/mail/${address#*@}/${address%@*}"
