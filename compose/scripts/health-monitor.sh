#!/bin/bash
# Looks after the mail server and tells the administrator what is wrong (design 8.4). Run every minute by a timer.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/users.bash"

USAGE="usage: health-monitor.sh"

case "$#${1-}" in
0) ;;
1--help)
    cat <<TEXT
$USAGE

Looks at the containers, the disks, the certificate, what the filter found, and SendGrid's quota, and tells the
administrator (alert.sh) what is wrong, each thing once or as often as the design has it, what is to be done about it,
and when it is over; what one run has to tell is one message. A timer runs it every minute; running it by hand as
well does no harm. It changes nothing but its own memory, in /var/lib/mailserver.

Where ALERT_SNS_TOPIC_ARN in .env names the alerts' topic, CloudWatch gets a heartbeat every five minutes, but not
while an alert could not be told: its alarm then tells of the silence (F41).

  --help     this text

Exit status: 0 it has looked, and what was wrong is told; 1 something could not be told, and is tried again by the next
run; 2 a wrong call.
TEXT
    exit 0
    ;;
*) die "$USAGE" 2 ;;
esac

HERE=$(dirname "${BASH_SOURCE[0]}")
STATE_FOLDER=${STATE_DIRECTORY:-/var/lib/mailserver}
# shellcheck disable=SC2034  # state.bash uses it
STATE_FILE=$STATE_FOLDER/health
# shellcheck source=/dev/null
. "$HERE/aws.bash"
# shellcheck source=/dev/null
. "$HERE/state.bash"
# shellcheck source=/dev/null
. "$HERE/health-looks.bash"

install -d -m 700 "$STATE_FOLDER"
exec 7>"$STATE_FOLDER/.lock"
flock -w 50 7 || die "another run of this is still at it"
now=$(date +%s)
subjects=() texts=()
load_state

# What an earlier run could not tell.
kept=''
if compgen -G "$STATE_FOLDER/alerts/[0-9]*" >/dev/null; then
    "$HERE/alert.sh" --retry || kept=yes
fi

for look in containers disks certificate filter quota; do "look_$look"; done

# One message, however much there is to tell.
if [ "${#subjects[@]}" -gt 0 ]; then
    subject=${subjects[0]}
    [ "${#subjects[@]}" -eq 1 ] || subject="$subject, and $((${#subjects[@]} - 1)) more"
    {
        printf '%s\n\n' "${texts[@]}"
        printf 'Seen at %s on %s. What each of these means: docs/runbook.md, "Alerts".\n' "$(when "$now")" "$(site_value MAIL_FQDN)"
    } | "$HERE/alert.sh" "$subject" || kept=yes
fi
# After the telling: a run that is killed between the two tells twice, and never not at all.
save_state

# A sign of life for the alarm that speaks when this host does not (F41).
heartbeat() {
    local topic
    topic=$(alerts_topic) || return 0
    [ $((now - ${mark[heartbeat]:-0})) -ge 285 ] || [ "${mark[heartbeat]:-0}" -gt "$now" ] || return 0
    aws_call monitoring "$(region_of "$topic")" Action=PutMetricData Version=2010-08-01 Namespace=Mailserver \
        MetricData.member.1.MetricName=Heartbeat MetricData.member.1.Value=1 \
        MetricData.member.1.Dimensions.member.1.Name=Host \
        "MetricData.member.1.Dimensions.member.1.Value=$(site_value MAIL_FQDN)" >/dev/null || {
        echo "${0##*/}: CloudWatch did not take the heartbeat" >&2
        return 0
    }
    mark[heartbeat]=$now
    save_state
}
[ -z "$kept" ] || die "what is wrong could not be told; it is tried again by the next run"
heartbeat
