-- Whoever has logged in writes as himself: the one address in From is the login's, as the envelope sender
-- must be (F50). Readers see From alone, and the smarthost signs it for the whole domain. A message without
-- From passes: Postfix writes the envelope sender in. local.d/force_actions.conf refuses what is marked here.
rspamd_config:register_symbol({
  name = 'FROM_NOT_OWN',
  description = 'From is not the address of the user who logged in',
  score = 0.0,
  callback = function(task)
    local login = task:get_user()
    local headers = task:get_header_full('From')
    if not login or not headers then
      return false
    end
    -- "orig": before anything that this filter itself takes aliases for.
    local from = task:get_from({ 'mime', 'orig' }) or {}
    local own = #headers == 1 and #from == 1 and (from[1].addr or ''):lower() == login:lower()
    return not own
  end,
})
