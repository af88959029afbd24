-- Postfix cuts a header field at 60,000 bytes before it shows it to a filter, because the milter protocol holds no
-- more, and what is cut off is lost without a word. The sender had better learn of it: what may have been cut is
-- refused. local.d/force_actions.conf does so.
local LONGEST = 59000

rspamd_config:register_symbol({
  name = 'HEADER_TOO_LONG',
  description = 'A header field is longer than what passes uncut',
  score = 0.0,
  callback = function(task)
    local found = false
    task:headers_foreach(function(_, header)
      found = #(header.raw or header.value or '') > LONGEST
      return found
    end, { full = true })
    return found
  end,
})
