#!/bin/bash
# Tells the administrator that a unit has failed:  unit-failed.sh UNIT   (run by mailserver-alert@.service)
set -euo pipefail
unit=$1

{
    printf '%s has failed on %s (%s).\n' "$unit" "$(hostname)" "${MONITOR_SERVICE_RESULT:-result unknown}"
    printf 'What it does is not done; it is tried again when its timer is due, or now with: systemctl start %s\n' "$unit"
    printf '\nWhat it said:\n\n'
    # systemd names the run that failed, so that the log of earlier ones stays out.
    journalctl --no-pager --output=cat --lines=50 --unit="$unit" \
        ${MONITOR_INVOCATION_ID:+"_SYSTEMD_INVOCATION_ID=$MONITOR_INVOCATION_ID"}
} | "$(dirname "${BASH_SOURCE[0]}")/alert.sh" "$unit has failed"
