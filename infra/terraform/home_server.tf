# What the home server is at AWS (F35): it reads its SendGrid key, publishes alerts and says that it is there. Its access
# key is made by hand and lies on that server alone (docs/runbook.md): no key ever reaches the state.

locals {
  home_namespace = "Mailserver"
}

resource "aws_iam_user" "home_server" {
  name = "mailserver-home-server"
}

data "aws_iam_policy_document" "home_server" {
  statement { # this one secret, by its full ARN
    sid       = "ReadSendGridKey"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.sendgrid_api_key.arn]
  }
  statement {
    sid       = "Alert"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alerts.arn]
  }
  statement { # this action knows no resource; the namespace keeps it off the metrics of others
    sid       = "Heartbeat"
    actions   = ["cloudwatch:PutMetricData"]
    resources = ["*"]
    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = [local.home_namespace]
    }
  }
}

resource "aws_iam_policy" "home_server" {
  name        = "mailserver-home-server"
  description = "The mail server at home: its SendGrid key, alerts, heartbeat"
  policy      = data.aws_iam_policy_document.home_server.json
}

resource "aws_iam_user_policy_attachment" "home_server" {
  user       = aws_iam_user.home_server.name
  policy_arn = aws_iam_policy.home_server.arn
}
