-- publish.lua: makes a staged seed part of the queue, all of it or nothing, and at most once. No item is moved by it.
--
-- KEYS[1..10]: see keys.lua
-- KEYS[11] staging  LIST  the payloads of this seed, in order; private to one seeder
--
-- ARGV[1] name of the seed: a second seed of that name adds nothing
-- ARGV[2] number of items the seeder has staged
-- ARGV[3] epoch to use if the queue has none yet
-- ARGV[4] '1' to seal the queue
--
-- Reply: { outcome, items of the seed of this name }
--   outcome: published | already (the staged items were dropped) | incomplete (nothing was changed: Redis
--   holds another number of staged items than the seeder sent)
local staging = KEYS[11]
local seed, staged, epoch, seal = 'seed:' .. ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4] == '1'

local function publish()
  local before = call('HGET', state, seed)
  if before then
    call('UNLINK', staging)
    return { 'already', tonumber(before) }
  end
  if call('LLEN', staging) ~= staged then return { 'incomplete', call('LLEN', staging) } end
  if call('HSETNX', state, 'epoch', epoch) == 1 then call('PERSIST', state) end
  call('HSET', state, seed, staged)
  call('HSETNX', state, 'began_at', now)
  call('HDEL', state, 'seeder', 'seeder_until', 'seed_attempts', 'seed_error')
  if staged > 0 then
    call('HINCRBY', state, 'seeded', staged)
    if call('EXISTS', ready) == 0 and call('EXISTS', joining) == 0 then
      call('RENAME', staging, ready)
    else
      local list = prefix .. 'joining:' .. ARGV[1] -- its seeder may delete what has the old name
      call('RENAME', staging, list)
      call('RPUSH', joining, list)
      call('HINCRBY', state, 'unjoined', staged)
    end
    reopen()
  end
  return { 'published', staged }
end

local reply = publish()
if seal and reply[1] ~= 'incomplete' then call('HSET', state, 'sealed', 1) end
return reply
