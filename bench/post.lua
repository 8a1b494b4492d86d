-- wrk's script: every request is a message for a person that nobody has written to before.
-- Arguments: the API key, and the first number.
local key, number, step

function init(args)
  key, number, step = args[1], tonumber(args[2]), 1
  wrk.headers["Authorization"] = "Bearer " .. key
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["Prefer"] = "respond-async"
end

function request()
  number = number + step
  local body = string.format(
    '{"message":"Hello {firstName|there}, this is message %d of a run that measures.","messageType":"imessage",' ..
    '"recipientPhone":"+1%010d","recipientName":"Person Number%d","batchId":"bench","ghlContactId":"","altPhone1":"",' ..
    '"altPhone2":"","altPhone3":"","recipientEmail":"","altEmail1":"","altEmail2":"","altEmail3":"","timezone":"",' ..
    '"sendWindowStart":"","sendWindowEnd":"","sendFallbackSmsOnFailed":false,"contactOwnerEmail":null}',
    number, 2000000000 + number, number)
  return wrk.format("POST", "/api/messages", nil, body)
end

function done(summary, latency, requests)
  io.write(string.format("RESULT %d %d %d\n", summary.requests, summary.duration, summary.errors.status))
end
