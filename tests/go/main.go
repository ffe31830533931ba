// Client-go against a Slipway API server: typed clients in JSON and protobuf, informers that live through restarts of the
// server, leader election. tests/e2e/test_go_client.py runs it.
//
//	client -kubeconfig FILE kinds      every kind means the same in both encodings; exits 0 and prints "ok"
//	client -kubeconfig FILE informer   prints ADD, UPDATE, DELETE NAME VALUE per ConfigMap, and STORE NAME=VALUE,… per line read
//	client -kubeconfig FILE election   two candidates, one leader, a handover; exits 0 and prints "ok"
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"sort"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1apply "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

const protobuf = "application/vnd.kubernetes.protobuf"

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func clients(file string) (jsonClient, protoClient *kubernetes.Clientset) {
	config, err := clientcmd.BuildConfigFromFlags("", file)
	check(err)
	config.QPS, config.Burst = 1000, 1000
	asProto := rest.CopyConfig(config)
	asProto.ContentType, asProto.AcceptContentTypes = protobuf, protobuf // nothing else: a server that cannot is found out
	jsonClient, err = kubernetes.NewForConfig(config)
	check(err)
	protoClient, err = kubernetes.NewForConfig(asProto)
	check(err)
	return jsonClient, protoClient
}

func same(what string, a, b any) {
	if !equality.Semantic.DeepEqual(a, b) {
		log.Fatalf("%s differs by encoding:\n%+v\n%+v", what, a, b)
	}
}

func deployment() *appsv1.Deployment {
	surge := intstr.FromString("50%")
	zero := int32(0)
	labels := map[string]string{"app": "web"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Labels: labels, Annotations: map[string]string{"a": "ü"}},
		Spec: appsv1.DeploymentSpec{
			Replicas: &zero,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Strategy: appsv1.DeploymentStrategy{RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &surge}},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
				Volumes: []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
					LocalObjectReference: corev1.LocalObjectReference{Name: "m"}}}}},
				Containers: []corev1.Container{{Name: "c", Image: "local", Command: []string{"/bin/true"},
					Env:            []corev1.EnvVar{{Name: "E", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}}},
					Resources:      corev1.ResourceRequirements{Limits: corev1.ResourceList{"cpu": resource.MustParse("200m"), "memory": resource.MustParse("64Mi")}},
					ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/", Port: intstr.FromInt32(80)}}},
				}},
			}},
		},
	}
}

func kinds(ctx context.Context, j, p *kubernetes.Clientset) {
	ns := "default"
	made, err := p.AppsV1().Deployments(ns).Create(ctx, deployment(), metav1.CreateOptions{})
	check(err)
	asJSON, err := j.AppsV1().Deployments(ns).Get(ctx, "web", metav1.GetOptions{})
	check(err)
	same("deployment", made.Spec, asJSON.Spec)
	asProto, err := p.AppsV1().Deployments(ns).Get(ctx, "web", metav1.GetOptions{ResourceVersion: "0"})
	check(err)
	again, err := j.AppsV1().Deployments(ns).Get(ctx, "web", metav1.GetOptions{})
	check(err)
	if asProto.ResourceVersion == again.ResourceVersion {
		same("deployment with managed fields", asProto, again)
	}

	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s"}, Data: map[string][]byte{"k": {0, 255, 10}}, StringData: map[string]string{"t": "x"}}
	_, err = p.CoreV1().Secrets(ns).Create(ctx, secret, metav1.CreateOptions{})
	check(err)
	secrets, err := p.CoreV1().Secrets(ns).List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=s"})
	check(err)
	secretsJSON, err := j.CoreV1().Secrets(ns).List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=s"})
	check(err)
	same("secrets", secrets.Items, secretsJSON.Items)

	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: corev1.ServiceSpec{
		Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromString("http")}}}}
	_, err = p.CoreV1().Services(ns).Create(ctx, service, metav1.CreateOptions{})
	check(err)
	prefix := networkingv1.PathTypePrefix
	ingress := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{
		Host: "a.example", IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
			Path: "/", PathType: &prefix, Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "web", Port: networkingv1.ServiceBackendPort{Number: 80}}}}}}}}}}}
	_, err = p.NetworkingV1().Ingresses(ns).Create(ctx, ingress, metav1.CreateOptions{})
	check(err)

	// Patches of every kind, and what they return.
	for kind, body := range map[types.PatchType]string{
		types.StrategicMergePatchType: `{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"other"}]}}}}`,
		types.MergePatchType:          `{"metadata":{"labels":{"m":"1"}}}`,
		types.JSONPatchType:           `[{"op":"add","path":"/metadata/labels/j","value":"1"}]`,
	} {
		_, err = p.AppsV1().Deployments(ns).Patch(ctx, "web", kind, []byte(body), metav1.PatchOptions{})
		check(err)
	}
	applied, err := p.CoreV1().ConfigMaps(ns).Apply(ctx, corev1apply.ConfigMap("applied", ns).WithData(map[string]string{"a": "1"}), metav1.ApplyOptions{FieldManager: "go"})
	check(err)
	if applied.Data["a"] != "1" {
		log.Fatal("apply did not return the object")
	}

	// Lists of what bootstrap and controllers made mean the same too.
	nodes, err := p.CoreV1().Namespaces().List(ctx, metav1.ListOptions{Limit: 2})
	check(err)
	if len(nodes.Items) != 2 || nodes.Continue == "" {
		log.Fatalf("a page of namespaces: %d, continue %q", len(nodes.Items), nodes.Continue)
	}
	rest, err := p.CoreV1().Namespaces().List(ctx, metav1.ListOptions{Limit: 50, Continue: nodes.Continue})
	check(err)
	if rest.ResourceVersion != nodes.ResourceVersion {
		log.Fatal("the second page is of another revision")
	}
	rolesProto, err := p.RbacV1().ClusterRoles().List(ctx, metav1.ListOptions{})
	check(err)
	rolesJSON, err := j.RbacV1().ClusterRoles().List(ctx, metav1.ListOptions{})
	check(err)
	same("cluster roles", rolesProto.Items, rolesJSON.Items)

	_, err = p.CoreV1().ConfigMaps(ns).Get(ctx, "nope", metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		log.Fatalf("a missing object: %v", err)
	}
	_, err = p.CoreV1().Secrets(ns).Create(ctx, secret, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		log.Fatalf("a second create: %v", err)
	}
	check(p.AppsV1().Deployments(ns).Delete(ctx, "web", metav1.DeleteOptions{}))
	fmt.Println("ok")
}

func informer(ctx context.Context, client *kubernetes.Clientset) {
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace("default"))
	maps := factory.Core().V1().ConfigMaps().Informer()
	tell := func(what string, object any) {
		if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
			object = gone.Obj
		}
		m := object.(*corev1.ConfigMap)
		if m.Labels["go"] != "" {
			fmt.Println(what, m.Name, m.Data["v"])
		}
	}
	_, err := maps.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { tell("ADD", o) },
		UpdateFunc: func(_, o any) { tell("UPDATE", o) },
		DeleteFunc: func(o any) { tell("DELETE", o) },
	})
	check(err)
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	fmt.Println("SYNCED")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var all []string
		for _, o := range maps.GetStore().List() {
			if m := o.(*corev1.ConfigMap); m.Labels["go"] != "" {
				all = append(all, m.Name+"="+m.Data["v"])
			}
		}
		sort.Strings(all)
		fmt.Println("STORE", strings.Join(all, ","))
	}
}

func election(ctx context.Context, client *kubernetes.Clientset) {
	leads := make(chan string, 10)
	run := func(name string) context.CancelFunc {
		mine, cancel := context.WithCancel(ctx)
		lock := &resourcelock.LeaseLock{LeaseMeta: metav1.ObjectMeta{Name: "election", Namespace: "default"}, Client: client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: name}}
		go leaderelection.RunOrDie(mine, leaderelection.LeaderElectionConfig{Lock: lock, ReleaseOnCancel: true,
			LeaseDuration: 3 * time.Second, RenewDeadline: 2 * time.Second, RetryPeriod: 200 * time.Millisecond,
			Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: func(context.Context) { leads <- name }, OnStoppedLeading: func() {}}})
		return cancel
	}
	expect := func(name string) {
		select {
		case got := <-leads:
			if got != name {
				log.Fatalf("%s leads, not %s", got, name)
			}
		case <-time.After(20 * time.Second):
			log.Fatalf("%s does not lead", name)
		}
	}
	stopFirst := run("one")
	expect("one")
	stopSecond := run("two")
	select {
	case got := <-leads:
		log.Fatalf("%s leads beside one", got)
	case <-time.After(time.Second):
	}
	stopFirst()
	expect("two")
	stopSecond()
	fmt.Println("ok")
}

func main() {
	file := flag.String("kubeconfig", "", "")
	encoding := flag.String("encoding", "json", "json or protobuf")
	flag.Parse()
	asJSON, asProto := clients(*file)
	client := asJSON
	if *encoding == "protobuf" {
		client = asProto
	}
	switch flag.Arg(0) {
	case "kinds":
		kinds(context.Background(), asJSON, asProto)
	case "informer":
		informer(context.Background(), client)
	case "election":
		election(context.Background(), client)
	default:
		log.Fatalf("unknown test %q", flag.Arg(0))
	}
}
