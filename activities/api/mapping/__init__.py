"""How a row becomes a request and an answer an outcome: the two small languages, RFC 6570 and JMESPath, compiled."""
