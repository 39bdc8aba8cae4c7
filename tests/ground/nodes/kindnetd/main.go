// Command kindnetd is the network of a profile with several nodes, in place of the image of the same name, whose
// sources are in no registry. It does what the real one does for pods that speak IPv4: the node's CNI configuration
// from its podCIDR, a route to the podCIDR of each other node, and the node's address for what leaves the cluster.
// minikube's DaemonSet runs it, so all of it comes back with a node that was stopped.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
)

const (
	account = "/var/run/secrets/kubernetes.io/serviceaccount/"
	config  = "/etc/cni/net.d/10-kindnet.conflist"
	// Long enough to cost nothing, short enough that nobody waits for it.
	again = 2 * time.Second
)

type nodes struct {
	Items []struct {
		Metadata struct{ Name string }
		Spec     struct{ PodCIDR string }
		Status   struct {
			Addresses []struct{ Type, Address string }
		}
	}
}

func main() {
	log.SetFlags(log.LstdFlags | log.LUTC)
	log.Print("kstrim's ground: a test double of kindnetd")
	client, err := client()
	if err != nil {
		log.Fatal(err)
	}
	host, all := os.Getenv("HOST_IP"), os.Getenv("POD_SUBNET")
	said := ""
	for {
		err := reconcile(client, host, all)
		if text := fmt.Sprint(err); text != said {
			log.Printf("reconciled: %v", text)
			said = text
		}
		time.Sleep(again)
	}
}

func client() (*http.Client, error) {
	ca, err := os.ReadFile(account + "ca.crt")
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}, nil
}

func list(client *http.Client) (*nodes, error) {
	token, err := os.ReadFile(account + "token")
	if err != nil {
		return nil, err
	}
	server := net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"))
	request, err := http.NewRequest("GET", "https://"+server+"/api/v1/nodes", nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %.200s (%v)", answer.Status, body, err)
	}
	found := new(nodes)
	return found, json.Unmarshal(body, found)
}

func reconcile(client *http.Client, host, all string) error {
	found, err := list(client)
	if err != nil {
		return err
	}
	if err := masquerade(all); err != nil {
		return err
	}
	for _, node := range found.Items {
		address := ""
		for _, a := range node.Status.Addresses {
			if a.Type == "InternalIP" && net.ParseIP(a.Address).To4() != nil {
				address = a.Address
			}
		}
		if address == "" || node.Spec.PodCIDR == "" {
			continue
		}
		if address == host {
			err = write(node.Spec.PodCIDR)
		} else {
			err = route(node.Spec.PodCIDR, address)
		}
		if err != nil {
			return fmt.Errorf("node %s: %w", node.Metadata.Name, err)
		}
	}
	return nil
}

// write the node's CNI configuration, as kindnetd does.
func write(subnet string) error {
	text := fmt.Sprintf(`{
  "cniVersion": "0.3.1",
  "name": "kindnet",
  "plugins": [
    {"type": "ptp", "ipMasq": false, "mtu": 1500, "ipam": {
      "type": "host-local", "dataDir": "/run/cni-ipam-state",
      "routes": [{"dst": "0.0.0.0/0"}], "ranges": [[{"subnet": %q}]]}},
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
`, subnet)
	if there, err := os.ReadFile(config); err == nil && string(there) == text {
		return nil
	}
	// In one step: containerd watches the folder.
	if err := os.WriteFile(config+".new", []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(config+".new", config)
}

func route(subnet, gateway string) error {
	_, to, err := net.ParseCIDR(subnet)
	if err != nil {
		return err
	}
	return netlink.RouteReplace(&netlink.Route{Dst: to, Gw: net.ParseIP(gateway)})
}

// masquerade what pods send to others than pods.
func masquerade(all string) error {
	rule := "POSTROUTING -s " + all + " ! -d " + all + " -m addrtype ! --dst-type LOCAL -j MASQUERADE"
	if iptables("-C "+rule) == nil {
		return nil
	}
	return iptables("-A " + rule)
}

func iptables(words string) error {
	out, err := exec.Command("iptables", strings.Fields("-w -t nat "+words)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("iptables %s: %w: %s", words, err, strings.TrimSpace(string(out)))
	}
	return nil
}
