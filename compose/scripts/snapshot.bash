# What users' mail is at one moment, while more of it arrives: hard links, since a message's file is never written again.
# Needs WORK, a folder on the disk that the mail is on.
# shellcheck shell=bash

# A message in a Maildir; whatever a user is called, "new" included.
MESSAGE='.*/Maildir(/\.[^/]+)?/(cur|new)/[^/]+'
UNFINISHED='.*/Maildir(/\.[^/]+)?/tmp/.*'

# but_for_the_gone COMMAND...: true, too, when all it missed were files that have gone meanwhile.
but_for_the_gone() {
    ! LC_ALL=C "$@" 2>"$WORK/errors" || return 0
    [ -s "$WORK/errors" ] && ! grep -qv ': No such file or directory$' "$WORK/errors" && return 0
    echo "users' mail could not be read: $1 failed" >&2
    cat "$WORK/errors" >&2
    return 1
}

# messages FOLDER: inode, path and date of each message, tabs between them, after a first line that is none.
messages() {
    printf -- '-\t-\t\n'
    (cd "$1" && but_for_the_gone find . -ignore_readdir_race -type f -regextype posix-extended -regex "$MESSAGE" \
        -printf '%i\t%P\t%T@\n')
}

# Links what $WORK/before lists and TO does not have, by path.
link_messages() {
    messages "$2" >"$WORK/have"
    cut -f 2 "$WORK/have" | sort >"$WORK/paths"
    tail -n +2 "$WORK/before" | cut -f 2 | sort | comm -23 - "$WORK/paths" | tr '\n' '\0' >"$WORK/wanted"
    (cd "$1" && but_for_the_gone xargs -0 -r cp -al --parents -t "$2" -- <"$WORK/wanted")
}

# How many messages were there before this pass, are there still, and have not been caught. A client renames a message
# when it has been read and moves it from folder to folder, so its file and its place count, not its name. And how many
# the later list alone has, though they are older than START: a list may lack what is renamed while it is made.
missed() {
    awk -F '\t' -v start="$1" '
        function place(path,   name) {
            name = path
            sub(/.*\//, "", name)
            sub(/:2,[A-Za-z]*$/, "", name)
            sub(/\/[^\/]*\/[^\/]*$/, "", path)
            return path "/" name
        }
        FNR == 1 { file++ }
        file == 1 { held[$1]; held[place($2)]; next }
        file == 2 {
            still[$1]; still[place($2)]
            if ($3 + 0 < start + 0 && !($1 in held) && !(place($2) in held)) late++
            next
        }
        ($1 in still && !($1 in held)) || (place($2) in still && !(place($2) in held)) { count++ }
        END { print count + 0, late + 0 }
    ' "$WORK/have" "$WORK/after" "$WORK/before"
}

# Names that a message no longer has, where it was caught under another one as well.
outdated() {
    awk -F '\t' '
        FNR == 1 { file++ }
        file == 1 { current[$2]; next }
        $2 in current { caught[$1]; next }
        { former[++count] = $2; inode[count] = $1 }
        END { for (i = count; i >= 1; i--) if (inode[i] in caught) print former[i]; else caught[inode[i]] }
    ' "$WORK/after" "$WORK/have"
}

# Folders, subscriptions, filter rules, keywords, UIDs. Not what Dovecot makes anew (its index files), nor what is
# being written. A file that changes meanwhile has all of them read again.
copy_the_rest() {
    local attempt
    for attempt in {1..5}; do
        (cd "$1" && but_for_the_gone find . -ignore_readdir_race -regextype posix-extended \
            ! -regex "$MESSAGE" ! -regex "$UNFINISHED" ! -name 'dovecot*index*' ! -name 'dovecot.mailbox.log*' \
            ! -name '*.lock' ! -type s -print0) >"$WORK/rest"
        if tar -C "$1" --null --no-recursion -T "$WORK/rest" -cf - 2>"$WORK/errors" | tar -C "$2" -xpf -; then
            return 0
        fi
    done
    cat "$WORK/errors" >&2
    die "the folders' own files could not be read in $attempt attempts"
}

# A list of UIDs that was caught while a line was being added to it: that line is left out, as its message is.
cut_torn_lines() {
    local list
    while IFS= read -r -d '' list; do
        [ -z "$(tail -c 1 "$list")" ] || sed -i '$d' "$list"
    done < <(find "$1" -name dovecot-uidlist -type f -print0)
}

# snapshot_mail FROM TO
snapshot_mail() {
    local from=$1 to=$2 left=1 late start
    [ "$(stat -c %d "$from")" = "$(stat -c %d "$WORK")" ] ||
        die "$from is on another disk than $WORK, so its messages cannot be linked"
    mkdir "$to"
    : >"$WORK/start"
    start=$(find "$WORK/start" -printf '%T@')
    for _ in {1..10}; do
        messages "$from" >"$WORK/before"
        link_messages "$from" "$to"
        messages "$from" >"$WORK/after"
        messages "$to" >"$WORK/have"
        read -r left late <<<"$(missed "$start")"
        # What is uploaded with an old date looks like the latter, so they are no reason to fail.
        [ $((left + late)) -gt 0 ] || break
    done
    [ "$left" -eq 0 ] || die "$left messages changed their places faster than they could be read"
    outdated | tr '\n' '\0' >"$WORK/former"
    (cd "$to" && xargs -0 -r rm -- <"$WORK/former")
    messages "$to" >"$WORK/have"
    copy_the_rest "$from" "$to"
    cut_torn_lines "$to"
}
