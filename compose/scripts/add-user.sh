#!/bin/bash
# Gives somebody a mailbox:  add-user.sh ADDRESS [--replace]   (the password is read from standard input)
# --replace sets a new password for an existing user. The user counts at once, without a restart.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/users.bash"

address='' replace=''
for argument in "$@"; do
    case $argument in
    --replace) replace=yes ;;
    -*) die "unknown option '$argument'; usage: add-user.sh ADDRESS [--replace] <password-file" 2 ;;
    *)
        [ -z "$address" ] || die "one address at a time" 2
        address=$argument
        ;;
    esac
done
[ -n "$address" ] || die "usage: add-user.sh ADDRESS [--replace] <password-file" 2
check_address "$address"

[ ! -t 0 ] || printf 'Password for %s: ' "$address" >&2
IFS= read -r password || [ -n "$password" ] || die "no password on standard input" 2
[ "${#password}" -ge 8 ] || die "the password is shorter than 8 characters" 2
[ "$(printf %s "$password" | wc -c)" -le 72 ] || die "the password is longer than 72 bytes, of which BLF-CRYPT uses no more" 2
[[ $password != *[[:cntrl:]]* ]] || die "the password has control characters in it" 2

lock_users
if has_user "$address" && [ -z "$replace" ]; then
    die "$address exists already; --replace sets a new password" 3
fi

# The password goes in by standard input (twice: doveadm asks for a repetition), never by the command line.
hash_in() { printf '%s\n%s\n' "$password" "$password" | "$@" pw -s BLF-CRYPT 2>/dev/null | tail -n 1; }
hash=$(hash_in docker exec -i mailserver-dovecot doveadm) ||
    hash=$(hash_in docker run --rm -i --network none --entrypoint doveadm "$(site_value IMAGE_DOVECOT)") ||
    die "Dovecot's doveadm could not be run, neither in the running container nor from its image"
[[ $hash == '{BLF-CRYPT}'* ]] || die "doveadm gave no hash"

rewrite_without "$address" "$address:$hash::::::"
echo "$address is set up"
