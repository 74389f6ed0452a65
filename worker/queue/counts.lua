-- counts.lua: everything there is to count, read in one atomic step.
--
-- KEYS[1..13]: see keys.lua
--
-- Reply: name, value, name, value, … All values are strings. Counters and times (ms since 1970) that were
-- never set are absent. `now` is Redis's clock; `ready`, `delayed`, `suspects` and `batches` are lengths; `next_due` and
-- `next_expiry` are when the first delayed item is due and the first lease expires, 0 without any.
local reply = call('HGETALL', state)
local function add(name, value)
  reply[#reply + 1] = name
  reply[#reply + 1] = tostring(value)
end
add('now', string.format('%.0f', now))
add('ready', call('LLEN', ready) + (call('HGET', state, 'unjoined') or 0))
add('batches', call('ZCARD', leases))
add('delayed', call('ZCARD', delayed))
add('suspects', call('LLEN', suspects))
add('next_due', call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2] or 0)
add('next_expiry', call('ZRANGE', leases, 0, 0, 'WITHSCORES')[2] or 0)
return reply
