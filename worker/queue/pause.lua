-- pause.lua: stops the leasing of items. It makes no queue: a state that only says "paused" would outlive every run.
--
-- KEYS[1..13]: see keys.lua
--
-- Reply: 1, or 0 if there is no such queue
if call('EXISTS', state) == 0 and call('EXISTS', ready) == 0 then return 0 end
call('HSET', state, 'paused', 1)
return 1
