# What health-monitor.sh remembers from one minute to the next: which events there are, since when, and who was told when.
# shellcheck shell=bash disable=SC2154

# By event: since when it is there (0: it is not), when it was last told, whether its end is still to be told, and how
# many looks in a row have seen it. Marks are numbers that a look keeps for itself.
# The frame sets now, and what is to be told goes into its subjects and texts.
declare -A raised=() told=() owed=() seen=() mark=()

load_state() {
    local line
    [ -e "$STATE_FILE" ] || return 0
    # A line that is none of ours is no reason to look away: without it, at worst, something is told twice.
    while IFS= read -r line; do
        if [[ $line =~ ^event\ ([^ ]+)\ ([0-9]{1,12})\ ([0-9]{1,12})\ ([01])\ ([0-9]{1,9})$ ]]; then
            local key=${BASH_REMATCH[1]}
            raised[$key]=${BASH_REMATCH[2]} told[$key]=${BASH_REMATCH[3]}
            owed[$key]=${BASH_REMATCH[4]} seen[$key]=${BASH_REMATCH[5]}
            # A clock that was set back must not keep an alert away.
            [ "${told[$key]}" -le "$now" ] || told[$key]=$now
        elif [[ $line =~ ^mark\ ([^ ]+)\ ([0-9]{1,12})$ ]]; then
            mark[${BASH_REMATCH[1]}]=${BASH_REMATCH[2]}
        fi
    done <"$STATE_FILE"
}

state_lines() {
    local key
    for key in "${!raised[@]}"; do
        # What is over and was told long ago is forgotten.
        [ "${raised[$key]}" -ne 0 ] || [ "${seen[$key]}" -ne 0 ] || [ $((now - told[$key])) -lt 1209600 ] || continue
        printf 'event %s %s %s %s %s\n' "$key" "${raised[$key]}" "${told[$key]}" "${owed[$key]}" "${seen[$key]}"
    done
    for key in "${!mark[@]}"; do printf 'mark %s %s\n' "$key" "${mark[$key]}"; done
}

save_state() { put_in_place "$STATE_FILE" 600 state_lines; }

known() {
    [ -n "${raised[$1]-}" ] && return
    raised[$1]=0 told[$1]=0 owed[$1]=0 seen[$1]=0
}

say() {
    subjects+=("$1")
    texts+=("$2")
}

when() { date -d "@$1" '+%F %H:%M'; }

# wrong EVENT LOOKS AGAIN GAP SUBJECT TEXT: it is there now. It is told when so many looks in a row have seen it; then every
# AGAIN seconds while it lasts (0: never), and, when it goes and comes, not more often than every GAP seconds.
wrong() {
    local key=$1 looks=$2 again=$3 gap=$4
    known "$key"
    seen[$key]=$((seen[$key] + 1))
    [ "${seen[$key]}" -ge "$looks" ] || return 0
    [ "${raised[$key]}" -ne 0 ] || raised[$key]=$now
    if [ "${owed[$key]}" -eq 1 ]; then
        [ "$again" -gt 0 ] && [ $((now - told[$key])) -ge "$again" ] || return 0
    else
        [ "${told[$key]}" -eq 0 ] || [ $((now - told[$key])) -ge "$gap" ] || return 0
    fi
    told[$key]=$now owed[$key]=1
    say "$5" "$5, since $(when "${raised[$key]}").
$6"
}

# well EVENT WHAT: it is not there. Its end is told once, to whom its beginning was told.
well() {
    local key=$1
    known "$key"
    [ "${owed[$key]}" -eq 0 ] || say "over: $2" "Over: $2. It began at $(when "${raised[$key]}") and lasted at most $(((now - raised[$key] + 59) / 60)) minutes. Nothing is left to do."
    raised[$key]=0 owed[$key]=0 seen[$key]=0
}

# happened EVENT GAP SUBJECT TEXT: something that has no end. At once, and then not more often than every GAP seconds;
# false while it is too early.
happened() {
    local key=$1
    known "$key"
    [ "${told[$key]}" -eq 0 ] || [ $((now - told[$key])) -ge "$2" ] || return 1
    told[$key]=$now
    say "$3" "$3.
$4"
}
