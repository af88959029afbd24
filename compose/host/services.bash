# The services of a release, as the host's Docker engine sees them; ROOT is the deployed folder.
# shellcheck shell=bash

compose() {
    local folder=$1
    shift
    docker compose --project-directory "$folder" --progress quiet "$@"
}

# One line a container: service, id, start, state, health, image's name, image's id.
containers() {
    local ids
    [ -e "$ROOT/docker-compose.yml" ] && [ -e "$ROOT/.env" ] || return 0
    ids=$(compose "$ROOT" ps --all --quiet)
    [ -n "$ids" ] || return 0
    # shellcheck disable=SC2086
    docker inspect --format '{{index .Config.Labels "com.docker.compose.service"}} {{.Id}} {{.State.StartedAt}} {{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}unchecked{{end}} {{.Config.Image}} {{.Image}}' $ids | LC_ALL=C sort
}

# Which containers there are and since when they run; how they are changes by itself.
running_since() { containers | cut -d ' ' -f 1-3,6-; }

# Services with a file of configuration that is newer than their container: a deployment was cut off.
outdated() {
    local service start
    while read -r service _ start _; do
        [ ! -d "$ROOT/config/$service" ] ||
            [ -z "$(find "$ROOT/config/$service" -type f -newerct "$start" ! -path "$ROOT/config/dovecot/users" \
                ! -path "$ROOT/config/postfix/sasl_passwd" -print -quit)" ] || echo "$service"
    done < <(containers)
}

# Services that run with another secret than .env has; Compose takes such a container for up to date. A secret is
# called as its variable is, in small letters.
with_old_secrets() {
    local service state id secret want have
    while read -r service id _ state _; do
        [ "$state" = running ] || continue
        for secret in $(docker exec "$id" ls /run/secrets 2>/dev/null || true); do
            want=$(site_value "$ROOT/.env" "${secret^^}") || continue
            have=$(docker exec "$id" cat "/run/secrets/$secret" && echo .) || continue
            [ "$have" = "$want." ] || echo "$service"
        done
    done < <(containers)
}

# site_value FILE NAME: one value of .env, without its neighbours becoming variables here.
site_value() (
    set +u
    # shellcheck disable=SC1090
    . "$1"
    [ -n "${!2+set}" ] && printf '%s' "${!2}"
)

# The services whose own folder below config/ holds one of the files on standard input.
services_of() { sed -n 's,^config/\([^/]*\)/.*,\1,p' | LC_ALL=C sort -u; }

# recreate SERVICE...: new containers for those of them that have one.
recreate() {
    local service known=()
    for service in "$@"; do
        ! containers | grep -q "^$service " || known+=("$service")
    done
    [ "${#known[@]}" -ne 0 ] || return 0
    say "new containers, for their new configuration or secrets: ${known[*]}"
    compose "$ROOT" up --detach --no-deps --force-recreate "${known[@]}"
}

# Services that do not run or are not healthy; one without a health check is not.
ailing() {
    local service known
    known=$(containers)
    for service in $(compose "$ROOT" config --services); do
        grep -qE "^$service [^ ]+ [^ ]+ running healthy " <<<"$known" || echo "$service"
    done
}

# start SECONDS: all services up and healthy within that time, or what is wrong with those that are not.
start() {
    local status=0 service bad
    timeout --foreground "$(($1 + 60))" docker compose --project-directory "$ROOT" --progress quiet up --detach --wait \
        --wait-timeout "$1" --remove-orphans || status=$?
    bad=$(ailing) || return 1
    [ "$status" -ne 0 ] || [ -n "$bad" ] || return 0
    for service in $bad; do diagnose "$service"; done
    say "not healthy within $1 s: ${bad//$'\n'/ }"
    return 1
}

# State, the last word of the health check and the log's end of one service.
diagnose() {
    local state health id
    read -r _ id _ state health _ < <(containers | grep "^$1 " || echo "- - - not-there -")
    say "$1: $state, $health"
    say "  its health check said: $(docker inspect --format '{{range .State.Health.Log}}{{.Output}}{{end}}' "$id" 2>/dev/null | tail -n 3 || true)"
    say "  its log ends:"
    compose "$ROOT" logs --no-color --no-log-prefix --tail 30 "$1" 2>&1 || true
}
