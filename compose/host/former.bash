# The release in place before: kept until the new one serves, and put back when it does not. take-release.sh reads this.
# shellcheck shell=bash disable=SC2153,SC2154

# A copy of all that the change touches, complete from the moment on that it has its name.
remember() {
    local name new=$FORMER.new
    rm -rf "$new" "$FORMER.old"
    (umask 077 && mkdir "$new")
    sort -u "$STAGE/.names" "$1" >"$new/names"
    while IFS= read -r name; do
        [ -e "$ROOT/$name" ] || continue
        mkdir -p "$new/files/$(dirname "$name")"
        cp -p -- "$ROOT/$name" "$new/files/$name"
    done <"$new/names"
    [ ! -e "$ROOT/.env" ] || cp -p -- "$ROOT/.env" "$new/env"
    [ ! -e "$ROOT/.deployed" ] || cp -p -- "$ROOT/.deployed" "$new/deployed"
    containers >"$new/containers"
    sync -f "$new"
    mv "$new" "$FORMER"
}

# Its name goes first: what is left of it in the middle of that is not taken for a release.
forget() {
    mv "$FORMER" "$FORMER.old"
    rm -rf "$FORMER.old"
}

# Services that were started during the change, so perhaps with files of the new release.
started_since() {
    local service start
    while read -r service _ start _; do
        [ -n "$(find "$FORMER/names" -newermt "$start")" ] || echo "$service"
    done <"$1"
}

# The former files, images and host set-up, and its services healthy; without a former release, nothing that runs.
roll_back() {
    former_images || return 1
    if [ ! -e "$FORMER/files/docker-compose.yml" ] && [ -e "$ROOT/docker-compose.yml" ]; then
        compose "$ROOT" down --remove-orphans || return 1
    fi
    former_files || return 1
    if [ -e "$FORMER/files/docker-compose.yml" ]; then
        set_host_up || return 1
        containers >"$FORMER/now" || return 1
        # shellcheck disable=SC2046
        recreate $(touched) || return 1
        start "$SECONDS_TO_HEALTH" || return 1
    fi
    forget
}

# A name that was given to another image meanwhile.
former_images() {
    local image id
    while read -r _ _ _ _ _ image id; do
        [ "$(docker image inspect --format '{{.Id}}' "$image" 2>/dev/null)" = "$id" ] || docker tag "$id" "$image" || return 1
    done <"$FORMER/containers"
}

former_files() {
    local name
    : >"$FORMER/put-back"
    : >"$FORMER/removed"
    while IFS= read -r name; do
        rm -f -- "$(dirname "$ROOT/$name")/.$(basename "$name").deploy"
        if [ -e "$FORMER/files/$name" ]; then
            same "$FORMER/files/$name" "$ROOT/$name" && continue
            put "$FORMER/files/$name" "$ROOT/$name" "$(mode_of "$FORMER/files/$name")" || return 1
            printf '%s\n' "$name" >>"$FORMER/put-back"
        else
            printf '%s\n' "$name" >>"$FORMER/removed"
            rm -f -- "${ROOT:?}/$name" || return 1
        fi
    done <"$FORMER/names"
    drop_units <"$FORMER/removed" || return 1
    rm -f "$ROOT/..env.deploy" "$ROOT/..deployed.deploy"
    [ ! -e "$FORMER/env" ] || cmp -s "$FORMER/env" "$ROOT/.env" || put "$FORMER/env" "$ROOT/.env" 600 || return 1
    if [ -e "$FORMER/deployed" ]; then put "$FORMER/deployed" "$ROOT/.deployed" 644; else rm -f "$ROOT/.deployed"; fi
}

# What was started with files or secrets of the new release, or may have been.
touched() {
    { services_of <"$FORMER/put-back"; services_of <"$FORMER/removed"; outdated; with_old_secrets; } | sort -u |
        grep -xF -f <(started_since "$FORMER/now") || true
}

gave_up=''
back() {
    say "$1"
    if ! roll_back; then
        gave_up=yes
        say "NOT rolled back: look at this host now. The former release is in $FORMER; next step: mend it, run deploy.sh again"
        exit 3
    fi
    if [ -e "$ROOT/docker-compose.yml" ]; then
        say "rolled back: the former release serves"
    else
        say "rolled back: there was no former release, so nothing runs; .env and data are kept"
    fi
}
