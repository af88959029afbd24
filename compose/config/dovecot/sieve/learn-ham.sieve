# A user moved it out of Junk: a mistake of the filter, unless he only cleans up.
require ["vnd.dovecot.pipe", "copy", "imapsieve", "environment"];
if environment :is "imap.mailbox" "Trash" {
    stop;
}
pipe :copy "learn" ["ham"];
