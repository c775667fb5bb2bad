require ["reject"];
reject "Not wanted here.
Second line.";
