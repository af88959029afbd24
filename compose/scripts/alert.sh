#!/bin/bash
# Tells the administrator:  alert.sh SUBJECT <what-happened    and again what could not be told:  alert.sh --retry
#
# By the alerts' topic at AWS where ALERT_SNS_TOPIC_ARN in .env names it, since that works while this server's mail is
# what broke (F41); else, or when AWS cannot be reached, by mail through this host's own Postfix. One of them: the
# topic's subscriber is the administrator, too. What neither takes is kept, and health-monitor.sh has it tried again.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/users.bash"
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/aws.bash"

[ $# -eq 1 ] && [ -n "$1" ] || die "usage: alert.sh SUBJECT <what-happened | alert.sh --retry" 2
[[ $1 != *[[:cntrl:]]* ]] || die "the subject has control characters in it" 2
SPOOL=${STATE_DIRECTORY:-/var/lib/mailserver}/alerts
LARGEST=100000 # bytes of a text; SNS takes 256 KiB
install -d -m 700 "${SPOOL%/*}" "$SPOOL"
# Whatever happens from here on, the alert is on the disk: its subject in the first line.
keep() {
    # What a run that was killed has left; one that still writes is younger.
    find "$SPOOL" -name '.new.*' -mmin +60 -delete
    local new
    new=$(mktemp "$SPOOL/.new.XXXXXX")
    {
        printf '%s\n' "$1"
        head -c "$LARGEST"
        cat >/dev/null
    } >"$new"
    sync "$new"
    mv -f "$new" "$SPOOL/$(date +%s)-$$"
}

fqdn=$(site_value MAIL_FQDN)

# SNS takes subjects of at most 100 ASCII characters.
by_topic() {
    local topic subject body=$SPOOL/.body
    topic=$(alerts_topic) || return 1
    subject="[$fqdn] $(LC_ALL=C tr -c ' -~\n' '?' <<<"$1")"
    tail -n +2 "$2" >"$body"
    [ -s "$body" ] || printf '%s\n' "$1" >"$body"
    aws_call sns "$(region_of "$topic")" Action=Publish Version=2010-03-31 "TopicArn=$topic" \
        "Subject=${subject:0:100}" "Message@$body" >/dev/null || return 1
    by="the alerts' topic"
}

# The sender is of the site's own domain: the smarthost takes no other (F59). Postfix adds date and Message-ID.
by_mail() {
    local domain admin
    domain=$(site_value MAIL_DOMAIN)
    admin=$(site_value ADMIN_EMAIL)
    [[ $admin =~ ^[^[:space:][:cntrl:]\<\>,\;\"]+@[A-Za-z0-9.-]+$ ]] || {
        echo "${0##*/}: ADMIN_EMAIL in .env is empty or no address: nobody is told by mail" >&2
        return 1
    }
    {
        printf 'From: Mail server <mailserver@%s>\nTo: <%s>\n' "$domain" "$admin"
        printf 'Subject: [%s] %s\nAuto-Submitted: auto-generated\n' "$fqdn" "$1"
        printf 'MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n'
        tail -n +2 "$2"
    } | timeout 60 docker exec -i mailserver-postfix sendmail -i -f "mailserver@$domain" -- "$admin" || return 1
    by=$admin
}

[ "$1" = --retry ] || keep "$1"
exec 8>"$SPOOL/.lock"
flock -w 120 8 || die "another alert is still being told; this one is kept and told after it"
kept=0 by=''
for file in "$SPOOL"/[0-9]*; do
    [ -e "$file" ] || continue
    IFS= read -r subject <"$file" || true
    if by_topic "$subject" "$file" || by_mail "$subject" "$file"; then
        rm -f -- "$file"
        echo "told $by: $subject"
    else
        kept=$((kept + 1))
    fi
done
rm -f -- "$SPOOL/.body"
[ "$kept" -eq 0 ] || die "neither AWS nor this server's mail took $kept alerts; they are kept in $SPOOL and tried again"
