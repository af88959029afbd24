#!/bin/bash
# Takes the mailbox of somebody out of service:  remove-user.sh ADDRESS
# No more mail is accepted for the address and nobody can log in; the stored mail stays on the disk.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/users.bash"

[ $# -eq 1 ] || die "usage: remove-user.sh ADDRESS" 2
address=$1
check_address "$address"
lock_users
has_user "$address" || die "$address does not exist" 3
rewrite_without "$address"
# Sessions that are open already end now.
docker exec mailserver-dovecot doveadm kick "$address" >/dev/null 2>&1 || true
echo "$address is removed; the mail is kept in data/mail/${address#*@}/${address%@*}"
