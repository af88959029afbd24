# What health-monitor.sh looks at, a function each. A look never fails: what it cannot see is an event of its own.
# shellcheck shell=bash disable=SC2154

readonly MINUTES=60 HOUR=3600 DAY=86400 WEEK=604800

# Every container of the compose file runs and is healthy. Twice in a row, so that a restart is no alarm; one that
# starts has its start period. A server that its owner has stopped is his business, and the gateway's check sees it.
look_containers() {
    local names found name line
    local -A is=()
    case $(systemctl is-active mailserver.service 2>/dev/null) in active | failed) ;; *) return 0 ;; esac
    mapfile -t names < <(sed -n 's/^ *container_name: *//p' "$ROOT/docker-compose.yml")
    found=$(timeout 20 docker inspect --format \
        '{{.Name}} {{.State.Status}} {{with .State.Health}}{{.Status}}{{else}}none{{end}}' "${names[@]}" 2>/dev/null) || true
    if [ -z "$found" ] && ! timeout 20 docker version >/dev/null 2>&1; then
        wrong docker 2 0 $((15 * MINUTES)) "Docker does not answer" "No service of the mail server can be seen or reached.
  journalctl -u docker --since -10min     what it said
  systemctl restart docker                starts it and the services anew"
        return 0
    fi
    well docker "Docker does not answer"
    while read -r name line; do [ -z "$name" ] || is[${name#/}]=$line; done <<<"$found"
    for name in "${names[@]}"; do
        case ${is[$name]-missing} in
        'running healthy' | 'running none') well "container:$name" "$name is not well" ;;
        'running starting') ;;
        *) not_well "$name" "${is[$name]-missing}" ;;
        esac
    done
}

not_well() {
    local name=$1 state=$2 said
    # Running, it is its health that is wrong; else its health is of no interest.
    case $state in 'running '*) state=${state#* } ;; *) state=${state%% *} ;; esac
    said=$(timeout 20 docker inspect --format '{{with .State.Health}}{{range .Log}}{{println .Output}}{{end}}{{end}}' "$name" 2>/dev/null |
        tr -d '\r' | grep -v '^ *$' | tail -n 1 | cut -c 1-300) || true
    wrong "container:$name" 2 0 $((15 * MINUTES)) "$name is not well" "It is $state.${said:+ Its check said: $said}
  docker compose --project-directory $ROOT logs --tail 50 ${name#mailserver-}     what it said itself
  docker compose --project-directory $ROOT up -d --wait ${name#mailserver-}     starts it again"
}

# The system's disk and the one with the mail, where that is another. At 90 % one mail a day; a full one stops all mail.
look_disks() {
    local system mail percent target
    system=$(df --output=pcent,target / 2>/dev/null) || true
    mail=$(df --output=pcent,target "$ROOT/data/mail" 2>/dev/null) || true
    read -r percent target <<<"${system##*$'\n'}"
    disk system "${percent:-0}" "${target:-/}" "the system's disk" /
    [ "$mail" != "$system" ] || mail=''
    read -r percent target <<<"${mail##*$'\n'}"
    disk mail "${percent:-0}" "$target" "the disk with the mail" "$ROOT/data/mail"
}

disk() {
    local percent=${2%\%}
    if [ "$percent" -ge 90 ]; then
        wrong "disk:$1" 1 "$DAY" "$DAY" "$4 is nearly full" "$3 is $percent % full. When it is full, mail has to wait at its senders.
  du -xh -d 2 $5 | sort -h | tail -n 20     what takes the room
  docker system prune     removes what Docker keeps for nothing: old images and containers"
    else
        well "disk:$1" "$4 is nearly full"
    fi
}

# Less than 30 days, although a renewal was due since: a day may pass between the two, and that is no reason to write.
look_certificate() {
    local file=$ROOT/data/certs/mailserver.crt ends days due renewed
    ends=$(openssl x509 -noout -enddate -in "$file" 2>/dev/null) || true
    ends=${ends#notAfter=}
    ends=$(date -d "${ends:-never}" +%s 2>/dev/null) || ends=0
    days=$(((ends - now) / DAY)) due=$((ends - 30 * DAY))
    renewed=$(stat -c %Y "${RENEWAL_STAMP:-/var/lib/systemd/timers/stamp-mailserver-cert.timer}" 2>/dev/null) || renewed=0
    if [ "$now" -ge "$due" ] && { [ "$renewed" -ge "$due" ] || [ "$days" -lt 28 ]; }; then
        local what="the certificate is good for $days days more"
        [ "$days" -ge 0 ] || what="the certificate is no longer good, or there is none"
        # In the minute of the renewal itself the old one may still be there.
        wrong certificate 2 "$WEEK" "$WEEK" "$what" "Nobody can log in, and no mail comes in, once it has run out; the timer tries to renew it every day and has not managed it.
  $ROOT/scripts/renew-certificate.sh     renews it now, or says why it cannot
  journalctl -u mailserver-cert --since -3days     what it said before"
    else
        well certificate "the certificate runs out"
    fi
}

# What Rspamd has refused or marked since the last look, by its own log; the sender's words in a line come before the part
# that is read. A container that is gone has no log to look at, and look_containers sees it.
look_filter() {
    local since=${mark[filter]:-$((now - MINUTES))} log viruses spam names key count
    [ "$since" -ge $((now - HOUR)) ] && [ "$since" -le "$now" ] || since=$((now - HOUR))
    log=$(timeout 30 docker logs --since "$since" --until "$now" mailserver-rspamd 2>&1) || return 0
    mark[filter]=$now
    read -r viruses spam names < <(awk '
        !/rspamd_task_write_log/ { next }
        { sub(/.*\(default: [A-Z] \(/, "") }
        match($0, /[ \[,]CLAM_VIRUS\([^)]*\)\{[^}]*/) {
            viruses++
            name = substr($0, RSTART, RLENGTH)
            sub(/.*\{/, "", name)
            gsub(/[^A-Za-z0-9._-]/, "", name)
            if (name != "" && !(name in named) && length(names) < 200) names = names (names ? "," : "") name
            named[name] = 1
            next
        }
        /^(reject|add header|rewrite subject)\)/ { spam++ }
        END { print viruses + 0, spam + 0, names }' <<<"$log") || true
    mark[viruses]=$((${mark[viruses]:-0} + ${viruses:-0}))
    [ "${spam:-0}" -eq 0 ] || mark[spam.$now]=$spam
    if [ "${mark[viruses]}" -gt 0 ] && happened virus "$HOUR" "viruses refused: ${mark[viruses]}" \
        "The scanner found: ${names:-see the log}. Nothing of it was delivered; further ones of this hour are told together.
  docker logs --since 2h mailserver-rspamd 2>&1 | grep CLAM_VIRUS     from where, to whom
If a sender is one of your own users, change his password (add-user.sh --replace) and look after his device."; then
        mark[viruses]=0
    fi
    spam=0
    for key in "${!mark[@]}"; do
        case $key in spam.*) ;; *) continue ;; esac
        if [ "${key#spam.}" -gt $((now - HOUR)) ] && [ "${key#spam.}" -le "$now" ]; then
            count=${mark[$key]}
            spam=$((spam + count))
        else
            unset "mark[$key]"
        fi
    done
    if [ "$spam" -ge 100 ]; then
        wrong spam 1 "$HOUR" "$HOUR" "a flood of spam" "$spam messages of the last hour were refused or put into Junk as spam.
  docker logs --since 1h mailserver-rspamd 2>&1 | grep -oE 'ip: [^,]+' | sort | uniq -c | sort -rn | head     from where
While the filter copes, nothing has to be done; if users get it in their inbox, have them move it to Junk."
    else
        well spam "a flood of spam"
    fi
}

# How much of SendGrid's plan is used, by the Stats API and a key that may do nothing else (F78). Every ten minutes.
look_quota() {
    local day month key answer used_day used_month
    day=$(site_value SENDGRID_DAILY_QUOTA) month=$(site_value SENDGRID_MONTHLY_QUOTA)
    [[ $day =~ ^[1-9][0-9]{0,9}$ ]] || day=''
    [[ $month =~ ^[1-9][0-9]{0,9}$ ]] || month=''
    [ -n "$day$month" ] || return 0
    [ $((now - ${mark[quota]:-0})) -ge $((10 * MINUTES - 15)) ] || [ "${mark[quota]:-0}" -gt "$now" ] || return 0
    mark[quota]=$now
    key=$(site_value SENDGRID_STATS_KEY)
    if ! answer=$(stats "$key"); then
        wrong quota-unknown "$([ "$answer" = refused ] && echo 1 || echo 6)" "$DAY" "$DAY" "SendGrid's statistics cannot be read" \
            "How much of the plan is used is not known (${answer:-no answer}). The key for that is one of its own, which may read statistics and nothing else:
  $ROOT/scripts/set-secret.sh SENDGRID_STATS_KEY     asks for a new one"
        return 0
    fi
    well quota-unknown "SendGrid's statistics cannot be read"
    read -r used_day used_month < <(awk -v today="$(date -u -d "@$now" +%F)" '
        /"date"/ { current = $0; gsub(/.*: *"|"$/, "", current) }
        /"requests"/ { count = $0; sub(/.*: */, "", count); month += count; if (current == today) day += count }
        END { print day + 0, month + 0 }' <<<"$answer")
    quota day "$day" "$used_day" "today's"
    quota month "$month" "$used_month" "this month's"
}

# The dates and counts of this month, a line each; else why not, and false.
stats() {
    [[ $1 =~ ^SG\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$ ]] || {
        printf refused
        return 1
    }
    local said
    said=$(printf 'header = "Authorization: Bearer %s"\nurl = "%s"\n' "$1" \
        "https://api.sendgrid.com/v3/stats?aggregated_by=day&start_date=$(date -u -d "@$now" +%Y-%m-01)&end_date=$(date -u -d "@$now" +%F)" |
        curl --silent --max-time 20 --write-out '\n%{http_code}\n' --config - 2>/dev/null) || return 1
    case ${said##*$'\n'} in
    200) ;;
    401 | 403)
        printf refused
        return 1
        ;;
    *) return 1 ;;
    esac
    grep -oE '"date": *"[0-9-]+"|"requests": *[0-9]+' <<<"$said" || true
}

quota() {
    local period=$1 limit=$2 used=$3
    if [ -n "$limit" ] && [ $((used * 100)) -ge $((limit * 90)) ]; then
        wrong "quota-$period" 1 "$DAY" "$DAY" "$4 quota at SendGrid is nearly used up" "$used of $limit messages are sent. Beyond that users' mail to other domains waits, and their authors are told after four hours.
  $ROOT/scripts/check-users.sh     are all senders people? A stolen password sends much
A larger plan, bought at SendGrid, counts at once; put its number into $ROOT/.env (SENDGRID_${period^^}LY_QUOTA; DAILY for the day's)."
    else
        well "quota-$period" "$4 quota at SendGrid is nearly used up"
    fi
}
