-- Streams whose role is "Zone" play on the sink that their target.object names, while it is
-- there, and on no other. Where there are endpoints WirePlumber 0.4 links no stream to its
-- target.object by itself; 0.5 does.

local links = {} -- by the id of the stream's item

local function linkable(...)
  return ObjectManager {
    Interest {
      type = "SiLinkable",
      Constraint { "item.factory.name", "=", "si-audio-adapter", type = "pw-global" },
      Constraint { "active-features", "!", 0, type = "gobject" },
      ...
    }
  }
end

local streams = linkable(
  Constraint { "item.node.type", "=", "stream", type = "pw-global" },
  Constraint { "media.role", "=", "Zone", type = "pw-global" },
  Constraint { "target.object", "+", type = "pw-global" })
local devices = linkable(
  Constraint { "item.node.type", "=", "device", type = "pw-global" })

local function target_of(stream)
  for device in devices:iterate() do
    local props = device.properties
    if props["node.name"] == stream.properties["target.object"] and
        props["item.node.direction"] ~= stream.properties["item.node.direction"] then
      return device
    end
  end
end

local function unlink(id)
  if links[id] then
    links[id].item:remove()
    links[id] = nil
  end
end

local function link(stream, device)
  local plays = stream.properties["item.node.direction"] == "output"
  local item = SessionItem("si-standard-link")

  if not item:configure {
    ["out.item"] = plays and stream or device,
    ["in.item"] = plays and device or stream,
    ["out.item.port.context"] = "output",
    ["in.item.port.context"] = "input",
  } then
    Log.warning(stream, "can't configure the link to " .. device.properties["node.name"])
    return
  end
  links[stream.id] = { item = item, device = device.id }
  item:register()
  item:activate(Feature.SessionItem.ACTIVE, function (l, e)
    if e then
      Log.warning(l, "can't link: " .. tostring(e))
      if links[stream.id] and links[stream.id].item == l then
        unlink(stream.id)
      end
    end
  end)
end

local function rescan()
  for stream in streams:iterate() do
    local device = target_of(stream)
    if device and not links[stream.id] then
      link(stream, device)
    end
  end
end

streams:connect("object-added", rescan)
devices:connect("object-added", rescan)
streams:connect("object-removed", function (_, stream)
  unlink(stream.id)
end)
devices:connect("object-removed", function (_, device)
  for id, l in pairs(links) do
    if l.device == device.id then
      unlink(id)
    end
  end
end)

devices:activate()
streams:activate()
