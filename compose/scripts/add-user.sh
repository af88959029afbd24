#!/bin/bash
# Gives somebody a mailbox, or a new password. He counts at once, without a restart: Dovecot reads the changed
# file, Postfix asks Dovecot, and the gateway asks Postfix.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/users.bash"

USAGE="usage: add-user.sh ADDRESS [--replace] [--dry-run] <password-file"

address='' replace='' dry_run=''
for argument in "$@"; do
    case $argument in
    --help)
        cat <<TEXT
$USAGE

Gives ADDRESS a mailbox. The password is read from standard input: one line of 8 characters or more and 72 bytes
at most. Mail that an earlier mailbox of the same address has left is opened by the new password, too.

  --replace  set a new password for a user who exists
  --dry-run  check address and password, change nothing
  --help     this text

Exit status: 0 done; 2 a wrong call, address or password; 3 the user exists and --replace was not given;
1 something else failed. Nothing is changed unless it is 0.
TEXT
        exit 0
        ;;
    --replace) replace=yes ;;
    --dry-run) dry_run=yes ;;
    -*) die "unknown option '$argument'; $USAGE" 2 ;;
    *)
        [ -z "$address" ] || die "one address at a time; the password is read from standard input" 2
        address=$argument
        ;;
    esac
done
[ -n "$address" ] || die "$USAGE" 2
check_address "$address"

[ ! -t 0 ] || printf 'Password for %s: ' "$address" >&2
# -s: what is typed is not shown.
IFS= read -rs password || [ -n "$password" ] || die "no password on standard input" 2
[ "${#password}" -ge 8 ] || die "the password is shorter than 8 characters" 2
[ "$(printf %s "$password" | wc -c)" -le 72 ] || die "the password is longer than 72 bytes, of which BLF-CRYPT uses no more" 2
[[ $password != *[[:cntrl:]]* ]] || die "the password has control characters in it" 2

lock_site
if has_user "$address" && [ -z "$replace" ]; then
    die "$address exists already; --replace sets a new password" 3
fi
would "$dry_run" "set $address up with this password"

# The password goes in by standard input (twice: doveadm asks for a repetition), never by the command line. Of the
# slow schemes BLF-CRYPT needs the least memory, and every click in the webmail is a login; doveadm's own cost of
# 5 is of another century, 10 takes a guesser who has the file 32 times as long and a login 50 ms.
hash_in() { printf '%s\n%s\n' "$password" "$password" | "$@" pw -s BLF-CRYPT -r 10 2>/dev/null | tail -n 1; }
hash=$(hash_in docker exec -i mailserver-dovecot doveadm) ||
    hash=$(hash_in docker run --rm -i --network none --entrypoint doveadm "$(site_value IMAGE_DOVECOT)") ||
    die "Dovecot's doveadm could not be run, neither in the running container nor from its image"
[[ $hash =~ ^\{BLF-CRYPT\}\$2[aby]\$10\$ ]] || die "doveadm gave no hash"

has_user "$address" || [ ! -e "$ROOT/data/mail/${address#*@}/${address%@*}" ] ||
    echo "note: data/mail/${address#*@}/${address%@*} holds mail of an earlier mailbox, which this password opens" >&2
rewrite_without "$address" "$address:$hash::::::"
dovecot_knows "$address" yes || die "$address is set up, but Dovecot does not know him after ten seconds: docker logs mailserver-dovecot"
echo "$address is set up"
