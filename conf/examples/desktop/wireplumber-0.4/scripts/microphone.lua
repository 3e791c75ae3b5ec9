-- Remembers whether a guest's stream may hear what it captures, as WirePlumber remembers its
-- volume: under the name of its node, so for the guest of that name. What a person switches
-- with
--
--     pw-cli set-param NODE Props '{ params = [ "xen.capture.allowed" true ] }'
--
-- then holds for the next stream of that name, too, until it is switched again.

local KEY = "xen.capture.allowed"

local state = State("xen-snd-microphone")
local remembered = state:load()
local known = {} -- by the node's id: "true" or "false", as it was seen last

local function is_allowed(node)
  for param in node:iterate_params("Props") do
    local params = param:parse().properties.params
    for i = 1, params and #params or 0, 2 do
      if params[i] == KEY then
        return tostring(params[i + 1])
      end
    end
  end
end

local function allow(node, allowed)
  node:set_param("Props", Pod.Object {
    "Spa:Pod:Object:Param:Props", "Props",
    params = Pod.Struct { KEY, Pod.Boolean(allowed == "true") },
  })
end

local function look(node)
  local id = node["bound-id"]
  local allowed = is_allowed(node)

  if known[id] and allowed and allowed ~= known[id] then
    remembered[node.properties["node.name"]] = allowed
    local saved, problem = state:save(remembered)
    if not saved then
      Log.warning(node, "can't remember who may hear: " .. tostring(problem))
    end
  end
  known[id] = allowed or known[id]
end

streams = ObjectManager {
  Interest {
    type = "node",
    Constraint { "device.api", "=", "xen-snd", type = "pw" },
    Constraint { "media.class", "=", "Stream/Input/Audio", type = "pw-global" },
  }
}

streams:connect("object-added", function (_, node)
  local before = remembered[node.properties["node.name"]]

  look(node)
  if before then
    known[node["bound-id"]] = before
    allow(node, before)
  end
  node:connect("params-changed", function (changed, param)
    if param == "Props" then
      look(changed)
    end
  end)
end)

streams:connect("object-removed", function (_, node)
  known[node["bound-id"]] = nil
end)

streams:activate()
