#!/bin/bash
# Puts a release in the place of the former one, or the former one back. deploy.sh sends it with the release and runs it
# as root, under the host's lock:
#   take-release.sh plan|apply FOLDER SECONDS      (SECONDS: how long the services may take to get healthy)
# The former release is kept in FOLDER/.former until the new one serves; a run that finds one there puts it back first.
set -euo pipefail
shopt -s inherit_errexit

STAGE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
ROOT=$2
SECONDS_TO_HEALTH=$3
FORMER=$ROOT/.former
# What the containers write into: mode and owner at its making; what is there is left as it is.
FOLDERS=(
    751:0:data 750:5000:data/mail 750:0:data/db 750:0:data/certs 750:0:data/redis 750:0:data/rspamd 755:0:data/clamav
    755:0:data/postfix 750:0:logs 750:0:logs/postfix 750:0:logs/dovecot 750:0:logs/nginx 750:0:logs/roundcube
    755:0:config 755:0:config/dovecot 755:0:config/roundcube/plugins
)
# shellcheck source=/dev/null
. "$STAGE/host/release.bash"
# shellcheck source=/dev/null
. "$STAGE/host/services.bash"
# shellcheck source=/dev/null
. "$STAGE/host/former.bash"

# Nobody may be listening any more: the host goes on by itself.
say() { printf '%s\n' "$1" || true; }
die() {
    say "refused: $1"
    exit 1
}

# --- What has come ---

# Cut off on its way, an archive can look like a smaller one.
whole() {
    if ! { [ -s "$STAGE/.contents" ] && (cd "$STAGE" && sha256sum --check --status --strict .contents); }; then
        die "the release did not arrive whole; next step: run deploy.sh again"
    fi
    sed 's/^[0-9a-f]*  //' "$STAGE/.contents" | grep -vxE '\.env|\.images' >"$STAGE/.names"
}

# The .env of the release: the host's own, or a first one, with the images of the release in it.
stage_env() {
    local line name image
    local -A images=()
    while IFS='=' read -r name image; do images[$name]=$image; done <"$STAGE/.images"
    umask 077
    [ ! -e "$ROOT/.env" ] || cp -- "$ROOT/.env" "$STAGE/.env"
    [ -e "$STAGE/.env" ] || die "$ROOT/.env is missing"
    while IFS= read -r line || [ -n "$line" ]; do
        name=${line%%=*}
        if [[ $name =~ ^IMAGE_[A-Z0-9_]+$ && -n ${images[$name]-} ]]; then
            printf "%s='%s'\n" "$name" "${images[$name]}"
            unset "images[$name]"
        else
            printf '%s\n' "$line"
        fi
    done <"$STAGE/.env" >"$STAGE/.env.new"
    for name in "${!images[@]}"; do printf "%s='%s'\n" "$name" "${images[$name]}"; done >>"$STAGE/.env.new"
    mv "$STAGE/.env.new" "$STAGE/.env"
    umask 022
}

# What Compose, the users' file or the engine does not take is refused before anything changes.
acceptable() {
    local words image
    words=$(compose "$STAGE" config --quiet 2>&1) || die "Compose does not take the new files: $words"
    if [ -e "$STAGE/scripts/check-users.sh" ] && [ -e "$ROOT/config/dovecot/users" ]; then
        words=$("$STAGE/scripts/check-users.sh" "$ROOT/config/dovecot/users" 2>&1) || die "the users' file does not suit: $words"
    fi
    for image in $(compose "$STAGE" config --images | LC_ALL=C sort -u); do
        check_image "$image" || die "image '$image' has no tag of its own and no digest"
        docker image inspect "$image" >/dev/null 2>&1 && continue
        [ "$1" = apply ] || {
            say "would need $image on this host"
            continue
        }
        say "fetching $image"
        docker pull --quiet "$image" || die "image $image is neither here nor to be had; next step: build it where deploy.sh runs"
    done
}

mode_of() { [ -x "$1" ] && echo 755 || echo 644; }
same() { [ "$(stat -c %a "$2" 2>/dev/null)" = "$(mode_of "$1")" ] && cmp -s "$1" "$2"; }

new_files() {
    local name
    while IFS= read -r name; do
        same "$STAGE/$name" "$ROOT/$name" || printf '%s\n' "$name"
    done <"$STAGE/.names"
}

# Files of the former release that this one has no more; a manifest can name nothing else.
gone_files() {
    local name
    [ -e "$ROOT/.deployed" ] || return 0
    LC_ALL=C sort -u "$ROOT/.deployed" | while IFS= read -r name; do
        [[ /$name/ != */../* ]] && ships "$name" && [ -e "$ROOT/$name" ] || continue
        grep -qxF "$name" "$STAGE/.names" || printf '%s\n' "$name"
    done
}

# --- The change and its way back ---

# put FILE PLACE MODE: beside, then by its name; nobody meets half a file.
put() {
    local beside
    beside=$(dirname "$2")/.$(basename "$2").deploy
    mkdir -p "$(dirname "$2")"
    rm -f "$beside"
    (umask 077 && cp -- "$1" "$beside")
    chmod "$3" "$beside"
    mv -f "$beside" "$2"
}

# Units of files that are on standard input: they go from systemd, too.
drop_units() {
    local name unit file
    while IFS= read -r name; do
        [[ $name =~ ^host/[^/]+\.(service|timer)$ ]] || continue
        unit=${name#host/}
        file=$(systemctl show --property=FragmentPath --value "$unit" 2>/dev/null || true)
        # A service is not stopped: Docker itself would stop with the firewall's.
        case $unit in
        *.timer) systemctl --quiet disable --now "$unit" 2>/dev/null || true ;;
        *) systemctl --quiet disable "$unit" 2>/dev/null || true ;;
        esac
        [ -z "$file" ] || rm -f -- "$file"
        say "unit $unit is gone"
    done
    systemctl daemon-reload
}

change_files() {
    local name
    cmp -s "$STAGE/.env" "$ROOT/.env" || put "$STAGE/.env" "$ROOT/.env" 600
    while IFS= read -r name; do
        put "$STAGE/$name" "$ROOT/$name" "$(mode_of "$STAGE/$name")"
    done <"$STAGE/.new"
    while IFS= read -r name; do rm -f -- "${ROOT:?}/$name"; done <"$STAGE/.gone"
    [ ! -s "$STAGE/.gone" ] || drop_units <"$STAGE/.gone"
}

make_folders() {
    local folder mode owner
    for folder in "${FOLDERS[@]}"; do
        IFS=: read -r mode owner folder <<<"$folder"
        [ -d "$ROOT/$folder" ] || install -d -m "$mode" -o "$owner" -g "$owner" "$ROOT/$folder"
    done
    [ -e "$ROOT/config/dovecot/users" ] || install -m 640 /dev/null "$ROOT/config/dovecot/users"
}

# Firewall, units and timers, as the release in place has them; says only what it changed.
set_host_up() { "$ROOT/host/install-host.sh" | sed '/: done; /d'; }

certificate() {
    (umask 077 && tailscale cert --cert-file "$ROOT/data/certs/mailserver.crt" --key-file "$ROOT/data/certs/mailserver.key" \
        --min-validity 720h "$(site_value "$ROOT/.env" MAIL_HOSTNAME)")
    chmod 644 "$ROOT/data/certs/mailserver.crt"
    chmod 600 "$ROOT/data/certs/mailserver.key"
}

# Whatever ends this in the middle, the former release comes back.
at_exit() {
    local status=$?
    trap - EXIT
    trap '' INT TERM
    [ -n "$gave_up" ] || [ ! -d "$FORMER" ] || back "the release is not in place (status $status); rolling back"
    rm -rf "$STAGE"
    [ "$status" -eq 0 ] || [ "$status" -eq 3 ] || exit 1
}

apply() {
    local before after started stale
    mkdir -p "$ROOT/config"
    exec 9>"$ROOT/config/.users.lock"
    flock -w 60 9 || die "another change of users, domains or keys is still running"
    [ ! -d "$FORMER" ] || back "a former deployment was cut off; rolling it back first"
    stage_env
    acceptable apply
    new_files >"$STAGE/.new"
    gone_files >"$STAGE/.gone"
    before=$(running_since)
    remember "$STAGE/.gone"
    say "$(wc -l <"$STAGE/.new") files are new or changed, $(wc -l <"$STAGE/.gone") go"
    change_files
    make_folders
    say "setting the host up: firewall, units, timers"
    set_host_up >"$STAGE/.set-up" || {
        cat "$STAGE/.set-up"
        exit 1
    }
    cat "$STAGE/.set-up"
    certificate
    stale=$({ cat "$STAGE/.new" "$STAGE/.gone" | services_of; outdated; with_old_secrets; } | sort -u)
    # shellcheck disable=SC2086
    recreate $stale
    say "starting the services and waiting until all are healthy"
    start "$SECONDS_TO_HEALTH"
    # A shutdown stops in order what systemd knows to run.
    ! systemctl cat mailserver.service >/dev/null 2>&1 || systemctl start mailserver.service
    put "$STAGE/.names" "$ROOT/.deployed" 644
    sync -f "$ROOT"
    forget
    after=$(running_since)
    started=$(LC_ALL=C comm -13 <(printf '%s\n' "$before") <(printf '%s\n' "$after") | cut -d ' ' -f 1)
    [ -z "$started" ] || say "started, or started again: ${started//$'\n'/ }"
    # Advice is no change.
    if [ -s "$STAGE/.new" ] || [ -s "$STAGE/.gone" ] || grep -qv 'next step:' "$STAGE/.set-up" || [ "$before" != "$after" ]; then
        say "deployed: every service is healthy"
    else
        say "nothing has changed: this release was in place, every service is healthy"
    fi
}

plan() {
    [ ! -d "$FORMER" ] || say "would first roll back a deployment that was cut off"
    stage_env
    acceptable plan
    new_files | sed 's/^/would put /'
    gone_files | sed 's/^/would remove /'
    if [ ! -e "$ROOT/.env" ]; then
        say "would put .env"
    elif ! cmp -s "$STAGE/.env" "$ROOT/.env"; then
        say "would change in .env: $(sed 's/=.*//' "$STAGE/.images" | tr '\n' ' ')"
    fi
    { new_files; gone_files; } | services_of | sed 's/^/would give a new container to /'
}

main() {
    umask 022
    trap 'rm -rf "$STAGE"' EXIT
    whole
    case $1 in
    plan) plan ;;
    apply)
        trap '' HUP PIPE
        trap at_exit EXIT
        trap 'exit 130' INT
        trap 'exit 143' TERM
        [ -d "$ROOT/logs" ] || install -d -m 750 "$ROOT/logs"
        exec > >(exec tee "$ROOT/logs/deploy.log" 8>&- 9>&-) 2>&1
        apply
        ;;
    esac
}

main "$@"
