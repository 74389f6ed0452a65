-- cancel.lua: takes items out of the queue that are waiting. Nobody runs them. They count as cancelled, and the history has them.
--
-- A list cannot lose its middle cheaply. So the caller moves the list from its head to its end, a page at a time, and drops the items
-- that are cancelled. Workers lease from the head meanwhile. The order of the items stays, unless others are pushed meanwhile or the
-- caller stops in the middle.
--
-- KEYS[1..13]: see keys.lua
--
-- ARGV[1] what is wanted:
--   read      ARGV[2] number of items at most, ARGV[3] payload bytes after which the page ends
--             Reply: { length of ready, taken, rotated, items that have yet to join ready, the first items of ready }. Nothing can
--             be rotated before all have joined. The length is -1 if the run has vanished
--   rotate    ARGV[2] cap on the history, see trim; ARGV[3] number of items that the last read returned; ARGV[4] taken and
--             ARGV[5] rotated, as it returned them; ARGV[6..] fingerprints of those items that are to be cancelled
--             Reply: rotated, as it is now; -1 if somebody else rotates the list at the same time
--   envelope  ARGV[2] cap on the history, see trim; ARGV[3..] members of delayed, or of suspects
--             Reply: 0

local wish = ARGV[1]
local taken, rotated, unjoined = unpack(call('HMGET', state, 'taken', 'rotated', 'unjoined'))
taken, rotated, unjoined = tonumber(taken or 0), tonumber(rotated or 0), tonumber(unjoined or 0)

if wish == 'read' then
  if unjoined > 0 and call('EXISTS', call('LINDEX', joining, 0) or joining) == 0 then return { -1, 0, 0, 0, {} } end
  local length = join()
  local page, bytes = {}, 0
  while #page < math.min(tonumber(ARGV[2]), length) and bytes < tonumber(ARGV[3]) do
    for _, payload in ipairs(call('LRANGE', ready, #page, #page + 3)) do
      page[#page + 1] = payload
      bytes = bytes + #payload
    end
  end
  return { length, taken, rotated, tonumber(call('HGET', state, 'unjoined') or 0), page }
end

local cancelled, recorded = 0, 0
local RECORD = '{"outcome":"cancelled"}'
local function cancel(id, attempts, payload)
  call('XADD', history, '*', 'id', id, 'attempts', attempts, 'item', payload, 'report', RECORD)
  recorded = recorded + #payload + #RECORD + ENTRY
  cancelled = cancelled + 1
end

-- keep_expiry lets a key expire when the others do, if they do: the run has ended, or all workers have left it.
local function keep_expiry(key)
  for i = 1, 12 do
    local ms = call('PTTL', KEYS[i])
    if ms > 0 then return call('PEXPIRE', key, ms) end
  end
end

if wish == 'rotate' then
  local read, taken_then, rotated_then = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
  if rotated ~= rotated_then then return -1 end
  local unwanted = {}
  for i = 6, #ARGV do unwanted[ARGV[i]] = true end
  local left_of_them = read - (taken - taken_then) -- workers have leased the others
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
  rotated = call('HINCRBY', state, 'rotated', #kept)
  call('HINCRBY', state, 'taken', cancelled)
else
  rotated = 0
  for i = 3, #ARGV do
    local id, attempts, payload = string.match(ARGV[i], '^(%d+):(%d+):%d+:%d+:%d+:(.*)$')
    if call('ZREM', delayed, ARGV[i]) == 1 or call('LREM', suspects, 1, ARGV[i]) == 1 then cancel(id, attempts, payload) end
  end
end
if cancelled > 0 then
  call('HINCRBY', state, 'cancelled', cancelled)
  trim(history, 'history', ARGV[2], recorded)
  if call('PTTL', history) < 0 then keep_expiry(history) end
end
return rotated
