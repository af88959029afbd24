# Logs, alarms and where they go (design 8.1, 8.2, 8.4).

resource "aws_cloudwatch_log_group" "mx" {
  name              = "/ecs/mailserver-mx"
  retention_in_days = var.log_retention_days
  # Encrypted with AWS's own key; a customer key would need a key policy for the logs service (F39).
}

# Without a KMS key: under AWS's own key for SNS neither alarms nor events could publish, and nobody would hear of it.
# What an alert says is no secret.
resource "aws_sns_topic" "alerts" {
  name = "mailserver-alerts"
}

# Pending until the administrator follows the link in the confirmation mail (F40).
resource "aws_sns_topic_subscription" "admin" {
  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = var.alert_email
}

# A policy of one's own replaces the default one, so both senders are named.
data "aws_iam_policy_document" "alerts" {
  statement {
    sid       = "Alarms"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alerts.arn]
    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }
    condition { # no other account's alarms
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }
  }
  statement { # EventBridge knows no conditions in a topic's policy: with one its events are lost without a word
    sid       = "Events"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alerts.arn]
    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
  }
}

resource "aws_sns_topic_policy" "alerts" {
  arn    = aws_sns_topic.alerts.arn
  policy = data.aws_iam_policy_document.alerts.json
}

locals {
  service_dimensions = {
    ClusterName = aws_ecs_cluster.mailserver.name
    ServiceName = aws_ecs_service.mx.name
  }
}

# Fewer tasks than there must be. Without tasks there is no metric at all, so missing data is the alarm (F36, F37).
resource "aws_cloudwatch_metric_alarm" "tasks" {
  alarm_name          = "FargateTaskFailure"
  alarm_description   = "The mail gateway runs fewer tasks than it must, so mail from outside waits at its senders. What to do: docs/runbook.md, From AWS."
  namespace           = "ECS/ContainerInsights"
  metric_name         = "RunningTaskCount"
  dimensions          = local.service_dimensions
  statistic           = "Minimum"
  comparison_operator = "LessThanThreshold"
  threshold           = var.min_tasks
  period              = 60
  evaluation_periods  = 2 # one task replacement is not an outage
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
}

resource "aws_cloudwatch_metric_alarm" "load" {
  for_each            = { FargateHighCPU = "CPUUtilization", FargateHighMemory = "MemoryUtilization" }
  alarm_name          = each.key
  alarm_description   = "The mail gateway's ${each.value} was above 80 % for ten minutes. What to do: docs/runbook.md, From AWS."
  namespace           = "AWS/ECS"
  metric_name         = each.value
  dimensions          = local.service_dimensions
  statistic           = "Average"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 80
  period              = 300
  evaluation_periods  = 2
  treat_missing_data  = "notBreaching" # an absent service is FargateTaskFailure's business
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
}

# The home server says every five minutes that it is there. Whatever silences it, its power, its line or itself,
# this alert does not need its mail (F41). Three periods: a heartbeat may come late.
resource "aws_cloudwatch_metric_alarm" "home_server" {
  alarm_name          = "HomeServerSilent"
  alarm_description   = "The mail server at home has not been heard of for a quarter of an hour. What to do: docs/runbook.md, From AWS."
  namespace           = local.home_namespace
  metric_name         = "Heartbeat"
  dimensions          = { Host = var.mail_hostname }
  statistic           = "SampleCount"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  period              = 300
  evaluation_periods  = 3
  treat_missing_data  = "breaching" # silence is all that there is to see
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
}

# There is no metric for a crashed task; its state change is an event (F36).
resource "aws_cloudwatch_event_rule" "task_crashed" {
  name        = "FargateTaskCrashed"
  description = "A gateway task stopped, and neither a person nor a deployment asked for it"
  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = ["ECS Task State Change"]
    detail = {
      clusterArn = [aws_ecs_cluster.mailserver.arn]
      group      = ["service:${aws_ecs_service.mx.name}"]
      lastStatus = ["STOPPED"]
      "$or" = [
        { stopCode = [{ anything-but = ["UserInitiated", "ServiceSchedulerInitiated"] }] },
        { stoppedReason = [{ prefix = "Task failed" }] }, # the scheduler replaced an unhealthy task
      ]
    }
  })
}

# In words instead of forty lines of JSON. A field that the event lacks stays empty.
resource "aws_cloudwatch_event_target" "task_crashed" {
  rule = aws_cloudwatch_event_rule.task_crashed.name
  arn  = aws_sns_topic.alerts.arn

  input_transformer {
    input_paths = {
      code   = "$.detail.stopCode"
      reason = "$.detail.stoppedReason"
      task   = "$.detail.taskArn"
      time   = "$.time"
    }
    input_template = join("\n", [ # EventBridge wants each line in quotes
      "\"FargateTaskCrashed: a task of the mail gateway has stopped by itself.\"",
      "\"Reason: <reason> (<code>)\"",
      "\"Task: <task>\"",
      "\"Time: <time>\"",
      "\"ECS starts another one by itself. If this comes again, or FargateTaskFailure does: docs/runbook.md, From AWS.\"",
    ])
  }
}
