# Common to add-user.sh and remove-user.sh: where the users are, and how their file is rewritten.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
USERS=$ROOT/config/dovecot/users

die() {
    echo "${0##*/}: $1" >&2
    exit "${2:-1}"
}

# One value of .env, without its neighbours becoming variables here.
site_value() (
    set +u
    # shellcheck disable=SC1091
    . "$ROOT/.env"
    printf '%s' "${!1}"
)

# Lower case, letters, digits and . _ + - before the @; one of the site's domains after it.
check_address() {
    [ "${#1}" -le 254 ] || die "the address is longer than 254 characters" 2
    [[ $1 =~ ^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?@[a-z0-9.-]+$ && $1 != *..* ]] ||
        die "'$1' is no address that can get a mailbox (lower-case letters, digits, . _ - and one @)" 2
    local domain
    for domain in $(site_value MAIL_DOMAIN) $(site_value MAIL_ADDITIONAL_DOMAINS); do
        [ "${1#*@}" != "$domain" ] || return 0
    done
    die "'${1#*@}' is none of this site's domains: $(site_value MAIL_DOMAIN) $(site_value MAIL_ADDITIONAL_DOMAINS)" 2
}

has_user() { [ -e "$USERS" ] && grep -q "^${1//./\\.}:" "$USERS"; }

# Write all users but one, then the given line if any, beside the file, and rename: nobody reads a half file.
# Dovecot's container has this folder mounted, so the new file is seen at once.
rewrite_without() {
    local new
    new=$(mktemp "$USERS.XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -f '$new'" EXIT
    [ ! -e "$USERS" ] || grep -v "^${1//./\\.}:" "$USERS" >"$new" || [ $? -eq 1 ]
    [ -z "${2:-}" ] || printf '%s\n' "$2" >>"$new"
    chmod 640 "$new"
    mv -f "$new" "$USERS"
    trap - EXIT
}

# One change at a time.
lock_users() {
    exec 9>"$ROOT/config/.users.lock"
    flock -w 30 9 || die "another change of the users is still running"
}
