// Names the command that scripts/cluster builds, so that `go mod tidy` keeps what it needs in go.sum.

//go:build tools

package tools

import _ "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"
