# The AWS side of the mail system: one Fargate service that receives mail for the Internet (design 2.1, 3).
# State is local by default; put a backend into backend_override.tf to keep it elsewhere. No secret value
# ever reaches the state: secrets.tf creates empty secrets that are filled outside Terraform.

terraform {
  required_version = ">= 1.9" # validation of one variable against another

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.0"
    }
  }
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id] # a plan with the wrong credentials stops before it changes anything

  default_tags {
    tags = {
      Project   = "mailserver"
      ManagedBy = "terraform"
    }
  }
}

locals {
  fixed_address = var.ingress == "eip"
  scaled        = var.max_tasks > 1
}
