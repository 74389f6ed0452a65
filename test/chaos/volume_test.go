package chaos

import (
	"strings"
	"time"

	"github.com/workqueue/workqueue/test/kube"
)

// The cluster has no network volumes. A folder of each node stands for one; its content is copied when the pod moves, as a disk is
// detached here and attached there.
const volumePath = "/var/lib/chaos-redis"

const volume = `
apiVersion: v1
kind: PersistentVolume
metadata: {name: NAME}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  storageClassName: NAME
  hostPath: {path: ` + volumePath + `}
`

func withVolume(*cluster) map[string]string {
	return map[string]string{"redis.persistence.enabled": "true", "redis.nodeSelector": ""}
}

func makeVolume(r *run) {
	name := r.Kubectl.Namespace
	r.values["redis.persistence.storageClass"] = `"` + name + `"`
	r.Apply(strings.ReplaceAll(volume, "NAME", name))
	r.Cleanup(func() { _, _ = r.Try("delete", "pv", name, "--wait=false") })
	for _, n := range r.workers {
		n.run(r.T, "rm -rf "+volumePath+"; mkdir "+volumePath+"; chown 999:999 "+volumePath)
	}
}

// moveRedis keeps Redis from starting anywhere until its volume is on the other node.
func moveRedis(r *run) int {
	r.reach(30)
	from, to := r.workers[0], r.workers[1]
	if node(r.Must("get", "pod", redisPod, "-o", "jsonpath={.spec.nodeName}")) == to {
		from, to = to, from
	}
	r.Must("cordon", string(from), string(to))
	r.Must("delete", "pod", redisPod, "--wait=false")
	kube.Eventually(r.T, time.Minute, "Redis is gone from "+string(from), func() bool {
		return r.Must("get", "pod", redisPod, "-o", "jsonpath={.spec.nodeName}", "--ignore-not-found") == ""
	}, func() string { return r.Must("get", "pods", "-o", "wide") })
	command(r.T, "sh", "-euc", "docker exec "+string(from)+" tar -C "+volumePath+" -c . | docker exec -i "+string(to)+" tar -C "+volumePath+" -x")
	from.run(r.T, "rm -rf "+volumePath)
	r.Must("uncordon", string(to))
	r.Must("wait", "--for=condition=Ready", "pod/"+redisPod, "--timeout=1m")
	r.Must("uncordon", string(from))
	if at := node(r.Must("get", "pod", redisPod, "-o", "jsonpath={.spec.nodeName}")); at != to {
		r.Errorf("Redis is on %s in place of %s", at, to)
	}
	return 1
}
