//go:build tools

// Package tools pins the provisioner of minikube's addon storage-provisioner-rancher.
package tools

import _ "github.com/rancher/local-path-provisioner"
