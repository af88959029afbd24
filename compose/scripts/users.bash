# Common to the scripts of this folder: where things are, what an address is, and how a file is rewritten.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
USERS=$ROOT/config/dovecot/users

die() {
    echo "${0##*/}: $1" >&2
    exit "${2:-1}"
}

# .env holds every secret of this server, and a shell runs what stands in it. So nobody else may own or write it,
# and who may read it and should not is shut out.
guard_env() {
    local file=$ROOT/.env mode owner
    [ -e "$file" ] || die "$file is missing; next step: deploy, or copy .env.example there and fill it in"
    read -r mode owner <<<"$(stat -L -c '%a %u' "$file")"
    local run="which would be run here as commands; next step: look through it, then chown root $file; chmod 600 $file"
    [ "$owner" -eq 0 ] || [ "$owner" -eq "$(id -u)" ] || die "$file belongs to user $owner, who may write into it $run"
    [ $((8#$mode & 8#022)) -eq 0 ] || die "$file has mode $mode, so others may write into it $run"
    [ $((8#$mode & 8#077)) -ne 0 ] || return 0
    chmod 600 "$file"
    echo "${0##*/}: others could read $file (mode $mode); that is over. Whose account here is not yours may know" \
        "the secrets: change them with set-secret.sh" >&2
}

# One value of .env, without its neighbours becoming variables here.
site_value() (
    set +u
    # shellcheck disable=SC1091
    . "$ROOT/.env"
    printf '%s' "${!1}"
)

# Lower case, letters, digits and . _ - before the @, a domain after it.
check_spelling() {
    [ "${#1}" -le 254 ] || die "the address is longer than 254 characters" 2
    [[ $1 =~ ^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?@[a-z0-9.-]+$ && $1 != *..* ]] ||
        die "'$1' is no address that can get a mailbox (lower-case letters, digits, . _ - and one @)" 2
}

# The same, and one of the site's domains after the @.
check_address() {
    check_spelling "$1"
    of_this_site "${1#*@}" ||
        die "'${1#*@}' is none of this site's domains: $(site_value MAIL_DOMAIN) $(site_value MAIL_ADDITIONAL_DOMAINS)" 2
}

of_this_site() {
    local domain
    for domain in $(site_value MAIL_DOMAIN) $(site_value MAIL_ADDITIONAL_DOMAINS); do
        [ "$1" != "$domain" ] || return 0
    done
    return 1
}

check_domain() {
    [[ ${#1} -le 253 && $1 =~ ^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$ ]] ||
        die "'$1' is no domain name (lower-case letters, digits, - and dots)" 2
}

# put_in_place FILE MODE COMMAND...: what the command prints becomes the file. It is written beside, is on the disk
# and is renamed, so that no reader, no interruption and no power cut meets half a file or an empty one.
put_in_place() {
    local file=$1 mode=$2 before
    shift 2
    # What a run that was killed has left, which may hold a secret. Whoever comes here has the lock.
    rm -f -- "$file".new.??????
    new=$(mktemp "$file.new.XXXXXX")
    trap 'rm -f "$new"' EXIT
    "$@" >"$new"
    chmod "$mode" "$new"
    # Dovecot takes a file of the same second for the one that it has read.
    before=$(stat -c %Y "$file" 2>/dev/null || echo 0)
    [ "$(stat -c %Y "$new")" -gt "$before" ] || touch -d "@$((before + 1))" "$new"
    sync "$new"
    mv -f "$new" "$file"
    trap - EXIT
}

has_user() { [ -e "$USERS" ] && grep -q "^${1//./\\.}:" "$USERS"; }

users_without() {
    [ ! -e "$USERS" ] || grep -v "^${1//./\\.}:" "$USERS" || [ $? -eq 1 ]
    [ -z "${2:-}" ] || printf '%s\n' "$2"
}

# dovecot_knows ADDRESS yes|no: wait until Dovecot knows him, or no longer does. It looks at the file once a second at
# most. Where Dovecot does not run, nobody is to wait for.
dovecot_knows() {
    local status
    for _ in {1..40}; do
        status=0
        docker exec mailserver-dovecot doveadm user "$1" >/dev/null 2>&1 || status=$?
        # 67 is Dovecot's own answer for an unknown user; anything else is no answer of its.
        case $2$status in yes67 | no0) sleep 0.25 ;; *) return 0 ;; esac
    done
    return 1
}

# All users but one, then the given line if any. Dovecot's container has the folder mounted and reads a changed
# file again at the next login or message.
rewrite_without() { put_in_place "$USERS" 640 users_without "$@"; }

with_additional_domains() {
    awk -v line="MAIL_ADDITIONAL_DOMAINS='$1'" \
        '/^MAIL_ADDITIONAL_DOMAINS=/ { print line; found = 1; next } { print } END { if (!found) print line }' "$ROOT/.env"
}

# The list of further domains, blanks between them; .env has secrets in it.
set_additional_domains() { put_in_place "$ROOT/.env" 600 with_additional_domains "$1"; }

# Postfix takes the site's domains from its environment, so it gets a new container; one that has them stays.
tell_postfix() { docker compose --project-directory "$ROOT" up -d --wait postfix; }

# would DRY-RUN TEXT: a dry run ends here, with all that a run checks before it changes anything behind it.
would() {
    [ -n "$1" ] || return 0
    echo "dry run: would $2; nothing was changed"
    exit 0
}

# One change at a time.
lock_site() {
    exec 9>"$ROOT/config/.users.lock"
    flock -w 30 9 || die "another change of users, domains or keys is still running"
}

# For every script that reads this file, before it does anything; help alone is for everybody.
[ "${1-}" = --help ] || guard_env
