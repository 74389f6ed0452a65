-- counts.lua: everything there is to count, read in one atomic step.
--
-- KEYS[1..13]: see keys.lua
--
-- Reply: name, value, name, value, … All values are strings. Counters and times (ms since 1970) that were
-- never set are absent. All times are of the server's clock as it is now, `now` too; `ready`, `delayed`, `suspects` and `batches` are
-- lengths; `next_due` and `next_expiry` are when the first delayed item is due and the first lease expires, 0 without any.
local fields = call('HGETALL', state)
local ahead = now - server_now -- of the queue's clock before the server's
local seeder, last_step = unpack(call('HMGET', state, 'seeder', 'last_step'))
local offset = { began_at = -ahead, started_at = -ahead, finished_at = -ahead, stopped_at = -ahead, limited_until = -ahead,
  seeder_until = (seeder or '') ~= '' and outages - ahead or -ahead, last_until = last_step == 'running' and outages - ahead or -ahead }
local reply = {}
local function add(name, value)
  reply[#reply + 1] = name
  reply[#reply + 1] = tostring(value)
end
local function add_time(name, at, by)
  add(name, at and string.format('%.0f', at + by) or 0)
end
for i = 1, #fields, 2 do
  local name, value = fields[i], fields[i + 1]
  if offset[name] then add_time(name, value, offset[name]) else add(name, value) end
end
if last_call then add_time('last_call', math.min(last_call, server_now), 0) end
add_time('now', server_now, 0)
add('ready', call('LLEN', ready) + (call('HGET', state, 'unjoined') or 0))
add('batches', call('ZCARD', leases))
add('delayed', call('ZCARD', delayed))
add('suspects', call('LLEN', suspects))
add_time('next_due', call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2], -ahead)
add_time('next_expiry', call('ZRANGE', leases, 0, 0, 'WITHSCORES')[2], outages - ahead)
return reply
