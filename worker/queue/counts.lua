-- counts.lua: everything there is to count, read in one atomic step.
--
-- KEYS[1] ready  KEYS[2] state  KEYS[3] leases  KEYS[4] delayed  KEYS[5] suspects  (as in exchange.lua)
--
-- Reply: name, value, name, value, … All values are strings. Counters and times (ms since 1970) that were
-- never set are absent. `now` is Redis's clock, `ready`, `delayed`, `suspects` and `batches` are lengths.
local time = redis.call('TIME')
local reply = redis.call('HGETALL', KEYS[2])
local function add(name, value)
  reply[#reply + 1] = name
  reply[#reply + 1] = tostring(value)
end
add('now', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))
add('ready', redis.call('LLEN', KEYS[1]))
add('batches', redis.call('ZCARD', KEYS[3]))
add('delayed', redis.call('ZCARD', KEYS[4]))
add('suspects', redis.call('LLEN', KEYS[5]))
return reply
