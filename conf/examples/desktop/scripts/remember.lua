-- Remembers of guests' streams what WirePlumber does not, for the node of that name, as it
-- remembers their volume: whether a stream may hear what it captures, which a person switches with
--
--     pw-cli set-param NODE Props '{ params = [ "xen.capture.allowed" true ] }'
--
-- and whether it is muted: WirePlumber 0.5 forgets that of nodes with switches of their own
-- until 0.5.14.

local ALLOWED = "xen.capture.allowed"

-- how each is read from a node's Props, and what sets it
local switches = {
  ["mute"] = {
    of = function (props)
      return props.mute
    end,
    to = function (on)
      return { mute = on }
    end,
  },
  [ALLOWED] = {
    of = function (props)
      local params = props.params
      for i = 1, params and #params or 0, 2 do
        if params[i] == ALLOWED then
          return params[i + 1]
        end
      end
    end,
    to = function (on)
      return { params = Pod.Struct { ALLOWED, Pod.Boolean(on) } }
    end,
  },
}

local state = State("xen-snd-streams")
local remembered = state:load()
local known = {} -- by the node's id and the switch: "true" or "false", as it was seen last

local function key_of(node, name)
  return node.properties["node.name"] .. ":" .. name
end

-- the node's own Props are one object, those of its converter another
local function read(node, switch)
  for param in node:iterate_params("Props") do
    local value = switch.of(param:parse().properties)
    if value ~= nil then
      return tostring(value)
    end
  end
end

local function write(node, switch, value)
  local props = switch.to(value == "true")
  table.insert(props, "Spa:Pod:Object:Param:Props")
  table.insert(props, "Props")
  node:set_param("Props", Pod.Object(props))
end

local function remember(node, name, value)
  remembered[key_of(node, name)] = value
  local saved, problem = state:save(remembered)
  if not saved then
    Log.warning(node, "can't remember " .. name .. ": " .. tostring(problem))
  end
end

local function look(node)
  local seen = known[node["bound-id"]]

  for name, switch in pairs(switches) do
    local value = read(node, switch)
    if value and seen[name] and value ~= seen[name] then
      remember(node, name, value)
    end
    seen[name] = value or seen[name]
  end
end

local function restore(node)
  local seen = known[node["bound-id"]]

  for name, switch in pairs(switches) do
    local before = remembered[key_of(node, name)]
    if before then
      seen[name] = before
      write(node, switch, before)
    end
  end
end

streams = ObjectManager {
  Interest {
    type = "node",
    Constraint { "device.api", "=", "xen-snd", type = "pw" },
    Constraint { "media.class", "matches", "Stream/*/Audio", type = "pw-global" },
  }
}

streams:connect("object-added", function (_, node)
  known[node["bound-id"]] = {}
  look(node)
  restore(node)
  node:connect("params-changed", function (changed, param)
    if param == "Props" and known[changed["bound-id"]] then
      look(changed)
    end
  end)
end)

streams:connect("object-removed", function (_, node)
  known[node["bound-id"]] = nil
end)

streams:activate()
