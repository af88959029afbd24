# ingress = "dynamic": the task's public address changes with the task, so a Lambda function keeps the MX host's
# A record true (design 6.1.4, F04). With "eip" the owner publishes the output mx_addresses once, by hand.
#
# Before the first plan, and after each change of the function: infra/dns_updater/package.

locals {
  dynamic    = !local.fixed_address
  cloudflare = local.dynamic && var.dns_provider == "cloudflare"

  updater         = "mailserver-dns-updater"
  updater_sources = sort(fileset("${path.module}/../dns_updater", "*.py"))
  updater_hash    = sha256(join("", [for name in local.updater_sources : filesha256("${path.module}/../dns_updater/${name}")]))
  updater_archive = "${path.module}/../dns_updater/build/${local.updater_hash}.zip"
  dns_zone        = "arn:aws:route53:::hostedzone/${var.dns_zone_id}"
  tasks           = "arn:aws:ecs:${var.region}:${var.account_id}:task/${aws_ecs_cluster.mailserver.name}/*"
}

resource "aws_lambda_function" "dns_updater" {
  count         = local.dynamic ? 1 : 0
  function_name = local.updater
  description   = "MX host's A records = public addresses of the running gateway tasks"
  role          = aws_iam_role.dns_updater[0].arn
  runtime       = "python3.13" # brings boto3; nothing else is needed
  handler       = "dns_updater.updater.handler"
  filename      = local.updater_archive
  timeout       = 60 # seconds; a slow DNS provider is no reason to leave an address to strangers

  source_code_hash = local.updater_hash

  environment {
    variables = merge({
      CLUSTER      = aws_ecs_cluster.mailserver.name
      SERVICE      = local.service
      MX_HOSTNAME  = var.mx_hostname
      DNS_PROVIDER = var.dns_provider
      DNS_ZONE_ID  = var.dns_zone_id
    }, local.cloudflare ? { TOKEN_SECRET_ARN = aws_secretsmanager_secret.dns_token[0].arn } : {})
  }

  lifecycle {
    precondition {
      condition     = fileexists(local.updater_archive)
      error_message = "There is no archive of the DNS updater as it is now: run infra/dns_updater/package."
    }
  }

  depends_on = [aws_iam_role_policy.dns_updater, aws_cloudwatch_log_group.dns_updater]
}

# What fails is tried twice more, after one and two minutes. Then the administrator gets the event and the reason:
# an address that nobody took away may be a stranger's by now, so somebody has to look.
resource "aws_lambda_function_event_invoke_config" "dns_updater" {
  count                        = local.dynamic ? 1 : 0
  function_name                = aws_lambda_function.dns_updater[0].function_name
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = 3600
  destination_config {
    on_failure {
      destination = aws_sns_topic.alerts.arn
    }
  }
}

# --- when it runs ---

# From RUNNING on: earlier a task has no address that answers. All that follows RUNNING takes the address away,
# the first of it before the task's grace period; the later events repeat it, should one have failed.
resource "aws_cloudwatch_event_rule" "dns_updater" {
  count       = local.dynamic ? 1 : 0
  name        = local.updater
  description = "A gateway task began to run, or is about to end"
  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = ["ECS Task State Change"]
    detail = {
      clusterArn = [aws_ecs_cluster.mailserver.arn]
      group      = ["service:${local.service}"]
      lastStatus = ["RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED"]
    }
  })
}

resource "aws_cloudwatch_event_target" "dns_updater" {
  count = local.dynamic ? 1 : 0
  rule  = aws_cloudwatch_event_rule.dns_updater[0].name
  arn   = aws_lambda_function.dns_updater[0].arn
}

resource "aws_lambda_permission" "dns_updater" {
  count         = local.dynamic ? 1 : 0
  statement_id  = "TaskStateChange"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.dns_updater[0].function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.dns_updater[0].arn # this rule and no other
}

# --- what it may do ---

data "aws_iam_policy_document" "lambda" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "dns_updater" {
  count              = local.dynamic ? 1 : 0
  name               = local.updater
  assume_role_policy = data.aws_iam_policy_document.lambda.json
}

data "aws_iam_policy_document" "dns_updater" {
  count = local.dynamic ? 1 : 0
  statement {
    sid       = "SeeTasks"
    actions   = ["ecs:DescribeTasks"]
    resources = [local.tasks]
  }
  statement { # knows no resource but container instances, which Fargate has not
    sid       = "ListTasks"
    actions   = ["ecs:ListTasks"]
    resources = ["*"]
    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [aws_ecs_cluster.mailserver.arn]
    }
  }
  statement {
    sid       = "SeeAddresses"
    actions   = ["ec2:DescribeNetworkInterfaces"]
    resources = ["*"] # this action knows no resource
  }
  statement {
    sid       = "WriteLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.dns_updater[0].arn}:*"]
  }
  statement {
    sid       = "ReportFailure"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alerts.arn]
  }
  dynamic "statement" {
    for_each = local.cloudflare ? [aws_secretsmanager_secret.dns_token[0].arn] : []
    content {
      sid       = "ReadToken"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = [statement.value]
    }
  }
  dynamic "statement" {
    for_each = local.cloudflare ? [] : [local.dns_zone]
    content {
      sid       = "ReadZone"
      actions   = ["route53:ListResourceRecordSets"]
      resources = [statement.value]
    }
  }
  dynamic "statement" { # the one record and no other: not the domain's MX, SPF or DKIM
    for_each = local.cloudflare ? [] : [local.dns_zone]
    content {
      sid       = "ChangeAddress"
      actions   = ["route53:ChangeResourceRecordSets"]
      resources = [statement.value]
      condition {
        test     = "ForAllValues:StringEquals"
        variable = "route53:ChangeResourceRecordSetsNormalizedRecordNames"
        values   = [var.mx_hostname]
      }
      condition {
        test     = "ForAllValues:StringEquals"
        variable = "route53:ChangeResourceRecordSetsRecordTypes"
        values   = ["A"]
      }
    }
  }
}

resource "aws_iam_role_policy" "dns_updater" {
  count  = local.dynamic ? 1 : 0
  name   = local.updater
  role   = aws_iam_role.dns_updater[0].name
  policy = data.aws_iam_policy_document.dns_updater[0].json
}

# --- what it leaves behind ---

resource "aws_cloudwatch_log_group" "dns_updater" {
  count             = local.dynamic ? 1 : 0
  name              = "/aws/lambda/${local.updater}" # Lambda's own choice
  retention_in_days = var.log_retention_days
}
