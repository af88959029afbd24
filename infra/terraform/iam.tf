# Two roles (design 3.4). The execution role is ECS's own: it pulls images, writes logs and reads the auth
# key before a container starts. The task role is what the Internet-facing containers themselves hold.

data "aws_iam_policy_document" "ecs_tasks" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
    condition { # no other account's tasks
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }
  }
}

# Without any permission: whoever breaks into Postfix must not be able to read the tailnet key (F26).
resource "aws_iam_role" "task" {
  name               = "mailserver-fargate-task-role"
  assume_role_policy = data.aws_iam_policy_document.ecs_tasks.json
}

resource "aws_iam_role" "execution" {
  name               = "mailserver-fargate-execution-role"
  assume_role_policy = data.aws_iam_policy_document.ecs_tasks.json
}

data "aws_iam_policy_document" "execution" {
  statement {
    sid       = "RegistryLogin"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"] # this action knows no resource
  }
  statement {
    sid       = "PullImages"
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"]
    resources = ["arn:aws:ecr:${var.region}:${var.account_id}:repository/*"]
  }
  statement { # not CreateLogGroup: the group exists, with its retention
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.mx.arn}:*"]
  }
  statement { # exactly this secret, by its full ARN (F25, F27)
    sid       = "ReadAuthKey"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.fargate_auth_key.arn]
  }
}

resource "aws_iam_role_policy" "execution" {
  name   = "mailserver-fargate-execution"
  role   = aws_iam_role.execution.name
  policy = data.aws_iam_policy_document.execution.json
}
