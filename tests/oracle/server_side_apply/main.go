package main

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"strconv"

	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
)

type conv struct{}

func (conv) Convert(in, out, c interface{}) error { return fmt.Errorf("no") }
func (conv) ConvertToVersion(in runtime.Object, gv runtime.GroupVersioner) (runtime.Object, error) {
	u, ok := in.(*unstructured.Unstructured)
	if !ok {
		return in, nil
	}
	return typed(u), nil
}
func typed(u *unstructured.Unstructured) runtime.Object {
	o, err := scheme.Scheme.New(u.GroupVersionKind())
	if err != nil {
		panic(err)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, o); err != nil {
		panic(err)
	}
	o.GetObjectKind().SetGroupVersionKind(u.GroupVersionKind())
	return o
}
func plain(o runtime.Object) M {
	if u, ok := o.(*unstructured.Unstructured); ok {
		return u.Object
	}
	b, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	var m M
	json.Unmarshal(b, &m)
	return m
}
func (conv) ConvertFieldLabel(gvk schema.GroupVersionKind, l, v string) (string, string, error) {
	return l, v, nil
}
func (conv) Default(in runtime.Object) {}
func (conv) New(gvk schema.GroupVersionKind) (runtime.Object, error) {
	u := &unstructured.Unstructured{Object: map[string]interface{}{}}
	u.SetGroupVersionKind(gvk)
	return typed(u), nil
}

type M = map[string]interface{}
type L = []interface{}

var r *rand.Rand

func yes(p float64) bool      { return r.Float64() < p }
func pick(s ...string) string { return s[r.Intn(len(s))] }
func num(n ...int64) int64    { return n[r.Intn(len(n))] }
func strs(p float64, keys ...string) M {
	m := M{}
	for _, k := range keys {
		if yes(p) {
			m[k] = pick("1", "2")
		}
	}
	return m
}
func put(m M, k string, v interface{}, p float64) {
	if yes(p) {
		m[k] = v
	}
}
func meta(apiVersion, kind string) M {
	md := M{"name": "x", "namespace": "n"}
	put(md, "labels", strs(0.5, "a", "b"), 0.5)
	put(md, "annotations", strs(0.5, "n", "m/o"), 0.4)
	if yes(0.25) {
		l := L{}
		for _, f := range []string{"f/a", "f/b", "f/c"} {
			if yes(0.5) {
				l = append(l, f)
			}
		}
		md["finalizers"] = l
	}
	if yes(0.2) {
		l := L{}
		for _, u := range []string{"1", "2"} {
			if yes(0.6) {
				l = append(l, M{"apiVersion": "v1", "kind": "Pod", "name": "o" + u, "uid": u})
			}
		}
		md["ownerReferences"] = l
	}
	return M{"apiVersion": apiVersion, "kind": kind, "metadata": md}
}

// What kube-apiserver keeps as null when it is missing.
func complete(o M) {
	if o["kind"] != "Deployment" {
		return
	}
	s, _ := o["spec"].(M)
	if s == nil {
		s = M{}
		o["spec"] = s
	}
	if s["selector"] == nil {
		s["selector"] = M{"matchLabels": M{"a": "1"}}
	}
	t, _ := s["template"].(M)
	if t == nil {
		t = M{}
		s["template"] = t
	}
	ps, _ := t["spec"].(M)
	if ps == nil {
		ps = M{}
		t["spec"] = ps
	}
	if l, _ := ps["containers"].(L); len(l) == 0 {
		ps["containers"] = L{M{"name": "c"}}
	}
}
func cm() M {
	o := meta("v1", "ConfigMap")
	put(o, "data", strs(0.5, "k", "l", "m"), 0.8)
	put(o, "binaryData", M{"x": pick("MQ==", "Mg==")}, 0.2)
	put(o, "immutable", yes(0.5), 0.2)
	return o
}
func shuffle(l L) L { r.Shuffle(len(l), func(i, j int) { l[i], l[j] = l[j], l[i] }); return l }
func container(name string) M {
	c := M{"name": name}
	put(c, "image", pick("i:1", "i:2"), 0.8)
	if yes(0.4) {
		l := L{}
		for _, p := range []int64{80, 81} {
			if yes(0.6) {
				q := M{"containerPort": p}
				put(q, "protocol", pick("TCP", "UDP"), 0.5)
				put(q, "name", pick("a", "b"), 0.3)
				l = append(l, q)
			}
		}
		c["ports"] = shuffle(l)
	}
	if yes(0.5) {
		l := L{}
		for _, p := range []string{"A", "B", "C"} {
			if yes(0.5) {
				e := M{"name": p}
				if yes(0.3) {
					e["valueFrom"] = M{"fieldRef": M{"fieldPath": pick("p", "q")}}
				} else {
					e["value"] = pick("1", "2")
				}
				l = append(l, e)
			}
		}
		c["env"] = shuffle(l)
	}
	put(c, "args", L{pick("x", "y"), "z"}, 0.3)
	put(c, "resources", M{"limits": strs(0.6, "cpu", "memory")}, 0.3)
	if yes(0.2) {
		c["volumeMounts"] = L{M{"mountPath": pick("/a", "/b"), "name": "v"}}
	}
	if yes(0.2) {
		c["readinessProbe"] = M{"httpGet": M{"path": pick("/a", "/b"), "port": num(80, 81)}, "periodSeconds": num(1, 2)}
	}
	return c
}
func deploy() M {
	o := meta("apps/v1", "Deployment")
	s := M{}
	put(s, "replicas", num(1, 2, 3), 0.6)
	put(s, "paused", true, 0.1)
	put(s, "selector", M{"matchLabels": strs(0.7, "a", "b")}, 0.4)
	if yes(0.2) {
		s["strategy"] = M{"type": "RollingUpdate", "rollingUpdate": M{"maxSurge": num(1, 2)}}
	}
	ps := M{}
	cs := L{}
	for _, n := range []string{"c", "d", "e"} {
		if yes(0.5) {
			cs = append(cs, container(n))
		}
	}
	put(ps, "containers", shuffle(cs), 0.8)
	put(ps, "nodeSelector", strs(0.5, "a", "b"), 0.25)
	put(ps, "tolerations", L{M{"key": pick("a", "b"), "operator": "Exists"}}, 0.2)
	if yes(0.3) {
		v := L{}
		for _, n := range []string{"v", "w"} {
			if yes(0.6) {
				if yes(0.5) {
					v = append(v, M{"name": n, "emptyDir": M{}})
				} else {
					v = append(v, M{"name": n, "configMap": M{"name": pick("a", "b")}})
				}
			}
		}
		ps["volumes"] = v
	}
	put(ps, "securityContext", M{}, 0.1)
	t := M{}
	put(t, "spec", ps, 0.85)
	put(t, "metadata", M{"labels": strs(0.6, "a", "b")}, 0.5)
	put(s, "template", t, 0.85)
	put(o, "spec", s, 0.95)
	if yes(0.15) {
		l := L{}
		for _, n := range []string{"Available", "Progressing"} {
			if yes(0.6) {
				l = append(l, M{"type": n, "status": pick("True", "False"), "lastTransitionTime": "2026-01-01T00:00:00Z", "lastUpdateTime": "2026-01-01T00:00:00Z"})
			}
		}
		o["status"] = M{"replicas": num(1, 2), "conditions": l}
	}
	return o
}
func svc() M {
	o := meta("v1", "Service")
	s := M{}
	put(s, "type", pick("ClusterIP", "NodePort"), 0.4)
	put(s, "selector", strs(0.6, "a", "b"), 0.6)
	l := L{}
	for _, p := range []int64{80, 81, 82} {
		if yes(0.5) {
			q := M{"port": p}
			put(q, "protocol", pick("TCP", "UDP"), 0.5)
			put(q, "name", "p"+strconv.Itoa(int(p)), 0.5)
			q["targetPort"] = num(1, 2)
			l = append(l, q)
		}
	}
	put(s, "ports", shuffle(l), 0.7)
	put(s, "externalIPs", L{"1.1.1.1", pick("2.2.2.2", "3.3.3.3")}, 0.15)
	put(o, "spec", s, 0.95)
	return o
}

var tc = applyconfigurations.NewTypeConverter(scheme.Scheme)
var managers = map[string]*managedfields.FieldManager{}

func fm(gvk schema.GroupVersionKind) *managedfields.FieldManager {
	k := gvk.String()
	if managers[k] == nil {
		f, err := managedfields.NewDefaultFieldManager(tc, conv{}, conv{}, conv{}, gvk, gvk.GroupVersion(), "", nil)
		if err != nil {
			panic(err)
		}
		managers[k] = f
	}
	return managers[k]
}
func clone(m M) M {
	b, _ := json.Marshal(m)
	var o M
	u := &unstructured.Unstructured{}
	if m["kind"] != nil {
		if err := u.UnmarshalJSON(b); err != nil {
			panic(err)
		}
		return u.Object
	}
	json.Unmarshal(b, &o)
	return o
}
func main() {
	seed, _ := strconv.ParseInt(os.Args[1], 10, 64)
	n, _ := strconv.Atoi(os.Args[2])
	r = rand.New(rand.NewSource(seed))
	enc := json.NewEncoder(os.Stdout)
	for i := 0; i < n; i++ {
		gen := []func() M{cm, deploy, svc}[r.Intn(3)]
		probe := gen()
		u := &unstructured.Unstructured{Object: probe}
		gvk := u.GroupVersionKind()
		live := M(nil)
		steps := L{}
		for k := 0; k < 2+r.Intn(7); k++ {
			body := gen()
			mgr := pick("alice", "bob", "kubectl")
			step := M{"manager": mgr, "body": clone(body)}
			liveU := &unstructured.Unstructured{Object: M{}}
			if live != nil {
				liveU.Object = clone(live)
			} else {
				liveU.SetGroupVersionKind(gvk)
			}
			var out runtime.Object
			var err error
			if yes(0.6) {
				force := yes(0.5)
				step["op"] = "apply"
				step["force"] = force
				out, err = fm(gvk).Apply(typed(liveU), &unstructured.Unstructured{Object: clone(body)}, mgr, force)
			} else {
				step["op"] = "update"
				nb := clone(body)
				complete(nb)
				if mgr == "kubectl" && yes(0.5) {
					nb["metadata"].(M)["annotations"] = M{"kubectl.kubernetes.io/last-applied-configuration": func() string {
						b, _ := json.Marshal(body)
						return string(b) + "\n"
					}()}
				}
				step["body"] = clone(nb)
				if live != nil {
					nb["metadata"].(M)["uid"] = "u1"
					if yes(0.1) { // forgets managed fields
						nb["metadata"].(M)["managedFields"] = L{}
						step["reset"] = true
					}
					step["body"] = clone(nb)
				}
				step["body"] = clone(plain(typed(&unstructured.Unstructured{Object: clone(nb)})))
				if step["reset"] != nil {
					step["body"].(M)["metadata"].(M)["managedFields"] = L{}
				}
				out, err = fm(gvk).Update(typed(liveU), typed(&unstructured.Unstructured{Object: nb}), mgr)
			}
			if err != nil {
				step["error"] = err.Error()
				if st, ok := err.(errors.APIStatus); ok {
					b, _ := json.Marshal(st.Status().Details)
					var d interface{}
					json.Unmarshal(b, &d)
					step["details"] = d
				}
			} else {
				live = clone(plain(out))
				live["metadata"].(M)["uid"] = "u1"
				for _, e := range func() L { l, _ := live["metadata"].(M)["managedFields"].(L); return l }() {
					if e.(M)["time"] != nil {
						e.(M)["time"] = "T"
					}
				}
				step["result"] = clone(live)
				// what is stored has a real time again
				for _, e := range func() L { l, _ := live["metadata"].(M)["managedFields"].(L); return l }() {
					if e.(M)["time"] == "T" {
						e.(M)["time"] = fmt.Sprintf("2026-01-01T00:00:%02dZ", k)
					}
				}
			}
			steps = append(steps, step)
		}
		enc.Encode(M{"kind": gvk.Kind, "group": gvk.Group, "version": gvk.Version, "steps": steps})
	}
}
