-- cancel.lua: takes items out of the queue that are waiting. Nobody runs them. They count as cancelled, and the history has them.
--
-- A list cannot lose its middle cheaply. So the caller turns it over, from the head to the end, a part at a time, and leaves out what
-- is cancelled; when it is through, the order is the old one. Workers lease from the head meanwhile.
--
-- KEYS[1..13]: see keys.lua
--
-- ARGV[1] what is wanted:
--   look      ARGV[2] number of items
--             Reply: { length of ready, taken, rotated, items that have yet to join ready, the first items of ready }. Nothing can
--             be turned over before all have joined
--   turn      ARGV[2] cap on the history, 0 for none; ARGV[3] number of items that the last look returned; ARGV[4] taken and
--             ARGV[5] rotated, as it returned them; ARGV[6..] fingerprints of those items that are to be cancelled
--             Reply: number of items cancelled; -1 if somebody else turns the list over at the same time
--   envelope  ARGV[2] cap on the history, 0 for none; ARGV[3..] members of delayed, or of suspects
--             Reply: number of them that were still there, and are cancelled

local wish = ARGV[1]
local taken, rotated, left = unpack(call('HMGET', state, 'taken', 'rotated', 'left'))
taken, rotated = tonumber(taken or 0), tonumber(rotated or 0)

if wish == 'look' then
  local length = join()
  return { length, taken, rotated, tonumber(call('HGET', state, 'unjoined') or 0), call('LRANGE', ready, 0, tonumber(ARGV[2]) - 1) }
end

local cancelled = 0
local function cancel(id, attempts, payload)
  call('XADD', history, '*', 'id', id, 'attempts', attempts, 'item', payload, 'report', '{"outcome":"cancelled"}')
  cancelled = cancelled + 1
end

if wish == 'turn' then
  local looked, taken_then, rotated_then = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
  if rotated ~= rotated_then then return -1 end
  local unwanted = {}
  for i = 6, #ARGV do unwanted[ARGV[i]] = true end
  local left_of_them = looked - (taken - taken_then) -- workers have leased the others
  local payloads = left_of_them > 0 and call('LPOP', ready, left_of_them) or {}
  local kept = {}
  for _, payload in ipairs(payloads) do
    if unwanted[fingerprint(payload)] then
      taken = taken + 1
      cancel(string.format('%.0f', taken), 0, payload)
    else
      kept[#kept + 1] = payload
    end
  end
  append(kept)
  call('HINCRBY', state, 'rotated', #kept)
  call('HINCRBY', state, 'taken', cancelled)
else
  for i = 3, #ARGV do
    local id, attempts, payload = string.match(ARGV[i], '^(%d+):(%d+):%d+:%d+:%d+:(.*)$')
    if call('ZREM', delayed, ARGV[i]) == 1 or call('LREM', suspects, 1, ARGV[i]) == 1 then cancel(id, attempts, payload) end
  end
end
if cancelled > 0 then
  call('HINCRBY', state, 'cancelled', cancelled)
  trim(history, 'history_dropped', tonumber(ARGV[2]))
  if left then reopen() end
end
return cancelled
