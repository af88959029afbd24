# The network the gateway lives in (design 2.1): public subnets only, one rule inwards.

locals {
  subnets = { for index, zone in var.zones : "${var.region}${zone}" => "10.0.${index + 1}.0/24" }
}

resource "aws_vpc" "mailserver" {
  cidr_block           = "10.0.0.0/16"
  enable_dns_hostnames = true # the task resolves AWS's and Tailscale's names through the VPC's resolver
  tags                 = { Name = "mailserver-vpc" }
}

resource "aws_subnet" "public" {
  for_each          = local.subnets
  vpc_id            = aws_vpc.mailserver.id
  availability_zone = each.key
  cidr_block        = each.value
  tags              = { Name = "mailserver-public-${each.key}" }
}

resource "aws_internet_gateway" "mailserver" {
  vpc_id = aws_vpc.mailserver.id
  tags   = { Name = "igw-mailserver" }
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.mailserver.id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.mailserver.id
  }
  tags = { Name = "mailserver-public" }
}

resource "aws_route_table_association" "public" {
  for_each       = aws_subnet.public
  subnet_id      = each.value.id
  route_table_id = aws_route_table.public.id
}

resource "aws_security_group" "fargate" {
  name        = "fargate-sg"
  description = "Mail gateway: SMTP from the Internet"
  vpc_id      = aws_vpc.mailserver.id

  # The only rule inwards. No 41641/udp: tailscaled's port is random and it dials out (F30).
  # 0.0.0.0/0 also behind the NLB, which keeps the client's address (F02).
  ingress {
    description = "SMTP from the Internet"
    protocol    = "tcp"
    from_port   = 25
    to_port     = 25
    cidr_blocks = ["0.0.0.0/0"]
  }

  egress {
    description = "Tailscale, image pulls, logs"
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
  }

  tags = { Name = "fargate-sg" }
}
