# What Rspamd marks as probably spam is kept apart from the inbox.
require ["fileinto"];
if header :is "X-Spam" "Yes" {
    fileinto "Junk";
    stop;
}
