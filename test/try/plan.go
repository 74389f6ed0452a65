package main

import (
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/workqueue/workqueue/test/render"
)

// podOf is the pod of an object, or the one that its controller would make.
type podOf struct {
	corev1.PodTemplateSpec
	name   string
	claims []string // the StatefulSet's own volumes
}

// add sorts an object in. What exists only so that Helm deletes its namesake is left out.
func (p *plan) add(o render.Object) {
	if o.GetAnnotations()["helm.sh/hook"] == "post-delete" {
		return
	}
	component := o.GetLabels()["app.kubernetes.io/component"]
	switch o := o.(type) {
	case *corev1.ConfigMap:
		p.configMaps[o.Name] = o
		return
	case *corev1.Secret:
		p.secrets[o.Name] = withStringData(o)
		return
	case *corev1.Service:
		p.services = append(p.services, o)
		return
	case *appsv1.StatefulSet:
		if component == "redis" {
			p.redis = &podOf{PodTemplateSpec: o.Spec.Template, name: o.Name + "-0"}
			for _, claim := range o.Spec.VolumeClaimTemplates {
				p.redis.claims = append(p.redis.claims, claim.Name)
			}
			return
		}
	case *corev1.Pod:
		if component == "test" {
			p.test = &podOf{PodTemplateSpec: corev1.PodTemplateSpec{ObjectMeta: o.ObjectMeta, Spec: o.Spec}, name: o.Name}
			return
		}
	case *batchv1.Job:
		switch component {
		case "seed":
			p.seed = &podOf{PodTemplateSpec: o.Spec.Template, name: o.Name}
			return
		case "worker":
			p.job, p.worker = o, &podOf{PodTemplateSpec: o.Spec.Template, name: o.Name}
			return
		}
	case *batchv1.CronJob:
		p.addRun(o)
		return
	}
	p.rest = append(p.rest, o)
}

// addRun sorts in what kubectl create job --from=cronjob/… makes: one run of a schedule. Its pods seed by themselves.
func (p *plan) addRun(o *batchv1.CronJob) {
	p.schedule = o.Spec.Schedule
	name, template := o.Name+"-now", o.Spec.JobTemplate.Spec.Template.DeepCopy()
	template.Labels[batchv1.JobNameLabel], template.Labels[batchv1.ControllerUidLabel] = name, "00000000-0000-0000-0000-000000000000"
	p.job = &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: o.Spec.JobTemplate.Spec}
	p.worker = &podOf{PodTemplateSpec: *template, name: name}
}

// withStringData does what the API server does with a Secret's stringData.
func withStringData(secret *corev1.Secret) *corev1.Secret {
	data := map[string][]byte{}
	maps.Copy(data, secret.Data)
	for key, value := range secret.StringData {
		data[key] = []byte(value)
	}
	secret.Data = data
	return secret
}
