module ductape-mcp.invalid/cluster/pause

go 1.24
