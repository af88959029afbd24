"""Runs on a client host: hands messages to a server, each from its own address, eight at a time."""

import base64
import json
import smtplib
import sys
from concurrent.futures import ThreadPoolExecutor


def post(order: dict[str, str]) -> tuple[str, int, str]:
    """One session; the phase, code and text of the reply that decided."""
    with smtplib.SMTP(sys.argv[1], 25, order["helo"], 60, (order["client"], 0)) as smtp:
        smtp.ehlo()
        for phase, answer in (("mail", smtp.mail(order["sender"])), ("rcpt", smtp.rcpt(order["recipient"]))):
            if answer[0] != 250:
                return phase, answer[0], answer[1].decode()
        code, text = smtp.data(base64.b64decode(order["content"]))
        return "data", code, text.decode()


if __name__ == "__main__":
    with ThreadPoolExecutor(8) as several:
        print(json.dumps(list(several.map(post, json.load(sys.stdin)))))
