# A user moved it into Junk.
require ["vnd.dovecot.pipe", "copy", "imapsieve"];
pipe :copy "learn" ["spam"];
