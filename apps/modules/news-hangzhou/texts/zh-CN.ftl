need-item-review-source = 通知公告须注明来源
