# Common to what this host says to AWS: signed calls by curl, which every host has, where the aws command may be missing.
# shellcheck shell=bash

# The home server's own identity: the one that the aws command would take, too. It needs sns:Publish on the alerts'
# topic and cloudwatch:PutMetricData in the namespace Mailserver.
AWS_CREDENTIALS=${AWS_SHARED_CREDENTIALS_FILE:-${HOME:-/root}/.aws/credentials}

# One value of the file's default profile.
credential() {
    awk -v name="$1" '/^\[/ { mine = $0 == "[default]" }
        mine && $0 ~ "^" name " *=" { sub(/^[^=]*= */, ""); sub(/[ \r]+$/, ""); print; exit }' "$AWS_CREDENTIALS" 2>/dev/null
}

# aws_call SERVICE REGION NAME=VALUE|NAME@FILE...: one call of a query API, its answer on standard output. Credentials
# reach curl by its standard input: the process list shows neither them nor the call (F34).
aws_call() {
    local service=$1 region=$2 pair endpoint
    shift 2
    local id=${AWS_ACCESS_KEY_ID:-} secret=${AWS_SECRET_ACCESS_KEY:-}
    [ -n "$id" ] || id=$(credential aws_access_key_id)
    [ -n "$secret" ] || secret=$(credential aws_secret_access_key)
    [[ $id =~ ^[A-Za-z0-9]+$ && $secret =~ ^[A-Za-z0-9+/=]+$ ]] || {
        echo "${0##*/}: no usable credentials for AWS in $AWS_CREDENTIALS" >&2
        return 1
    }
    endpoint=$(site_value AWS_ENDPOINT_URL)
    {
        printf 'url = "%s/"\n' "${endpoint:-https://$service.$region.amazonaws.com}"
        printf 'aws-sigv4 = "aws:amz:%s:%s"\nuser = "%s:%s"\n' "$region" "$service" "$id" "$secret"
        for pair in "$@"; do
            pair=${pair//\\/\\\\}
            printf 'data-urlencode = "%s"\n' "${pair//\"/\\\"}"
        done
    } | curl --silent --show-error --fail --max-time 20 --config -
}

# The alerts' topic, whose ARN has the region in it: arn:aws:sns:REGION:ACCOUNT:NAME. Nothing when there is none.
alerts_topic() {
    local topic
    topic=$(site_value ALERT_SNS_TOPIC_ARN)
    [ -n "$topic" ] || return 1
    [[ $topic =~ ^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$ ]] || {
        echo "${0##*/}: ALERT_SNS_TOPIC_ARN in .env is no topic's ARN" >&2
        return 1
    }
    printf '%s' "$topic"
}
region_of() { cut -d : -f 4 <<<"$1"; }
